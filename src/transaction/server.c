/*
 * Non-INVITE server transaction: RFC 3261 figure 8. J is 0 on reliable transports.
 *
 * Where the figure and the text of RFC 6026 §8.8 (replacing §17.2.4) differ, the text is followed: after a transport error the
 * machine stays as it is. RFC 4320 §4.1 adds the 100: a TU that has not answered when the client's timer E has reached T2 gets
 * one sent for it, and sends no other provisional response. GIVE_UP ends what its last user left unanswered.
 */
#include "internal.h"

static const struct arrow rules[TXN_STATES][TXN_EVENTS] = {
	[NO_STATE] = {
		[EV_START]     = { TRYING,     ARM_100 },
	},
	[TRYING] = {
		[EV_TIMER_100] = { PROCEEDING, SEND_100 },
		[EV_1XX]       = { PROCEEDING, SEND | STOP_RETRY },
		[EV_2XX]       = { COMPLETED,  SEND | STOP_RETRY | ARM_J | FORGET },
		[EV_300_699]   = { COMPLETED,  SEND | STOP_RETRY | ARM_J | FORGET },
		[EV_TPORT_ERR] = { TRYING,     TELL_ERROR },
		[EV_GIVE_UP]   = { TERMINATED, 0 },
	},
	[PROCEEDING] = {
		[EV_REQUEST]   = { PROCEEDING, RESEND },
		[EV_1XX]       = { PROCEEDING, SEND },
		[EV_2XX]       = { COMPLETED,  SEND | ARM_J | FORGET },
		[EV_300_699]   = { COMPLETED,  SEND | ARM_J | FORGET },
		[EV_TPORT_ERR] = { PROCEEDING, TELL_ERROR },
		[EV_GIVE_UP]   = { TERMINATED, 0 },
	},
	[COMPLETED] = {
		[EV_REQUEST]   = { COMPLETED,  RESEND },
		[EV_TIMER_J]   = { TERMINATED, 0 },
		[EV_TPORT_ERR] = { COMPLETED,  TELL_ERROR },
	},
};

const struct machine td_server_machine = {
	.name = "server",
	.rules = rules,
	.retry_event = { [TRYING] = EV_TIMER_100 },
	.life_event = { [TRYING] = EV_GIVE_UP, [PROCEEDING] = EV_GIVE_UP, [COMPLETED] = EV_TIMER_J },
	.quiet_t1 = 7, /* T1 + 2*T1 + 4*T1: then E is reset to T2 */
	.act = srvtx_act,
	.ended = srvtx_ended,
	.free = srvtx_free,
};
