/*
 * INVITE server transaction: figure 7 of RFC 3261 as replaced by RFC 6026 §8.6. It stays where it is when a response cannot be
 * sent (RFC 6026 §7.1), so that retransmitted INVITEs are still known. In Accepted the TU repeats its 2xx and gets the ACK.
 *
 * GIVE_UP is not in the figure: it ends a transaction nobody can answer any more, because its last user let go of it.
 */
#include "internal.h"

static const struct arrow rules[TXN_STATES][TXN_EVENTS] = {
	[NO_STATE] = {
		[EV_START]     = { PROCEEDING, ARM_100 },
	},
	[PROCEEDING] = {
		[EV_REQUEST]   = { PROCEEDING, RESEND },
		[EV_TIMER_100] = { PROCEEDING, SEND_100 },
		[EV_1XX]       = { PROCEEDING, SEND | STOP_RETRY },
		[EV_2XX]       = { ACCEPTED,   SEND | STOP_RETRY | ARM_L | FORGET },
		[EV_300_699]   = { COMPLETED,  SEND | ARM_G | ARM_H | STOP_RETRY | FORGET },
		[EV_TPORT_ERR] = { PROCEEDING, TELL_ERROR },
		[EV_GIVE_UP]   = { TERMINATED, 0 },
	},
	[COMPLETED] = {
		[EV_REQUEST]   = { COMPLETED,  RESEND },
		[EV_TIMER_G]   = { COMPLETED,  RESEND | ARM_G },
		[EV_TIMER_H]   = { TERMINATED, 0 },
		[EV_ACK]       = { CONFIRMED,  TO_TU | STOP_RETRY | ARM_I | FORGET },
		[EV_TPORT_ERR] = { COMPLETED,  TELL_ERROR },
	},
	[ACCEPTED] = {
		[EV_REQUEST]   = { ACCEPTED,   0 },
		[EV_ACK]       = { ACCEPTED,   TO_TU },
		[EV_2XX]       = { ACCEPTED,   SEND | FORGET },
		[EV_TIMER_L]   = { TERMINATED, 0 },
		[EV_TPORT_ERR] = { ACCEPTED,   TELL_ERROR },
	},
	[CONFIRMED] = {
		[EV_TIMER_I]   = { TERMINATED, 0 },
	},
};

const struct machine td_invite_server_machine = {
	.name = "invite server",
	.rules = rules,
	.retry_event = { [PROCEEDING] = EV_TIMER_100, [COMPLETED] = EV_TIMER_G },
	.life_event = { [PROCEEDING] = EV_GIVE_UP, [COMPLETED] = EV_TIMER_H, [CONFIRMED] = EV_TIMER_I, [ACCEPTED] = EV_TIMER_L },
	.act = srvtx_act,
	.ended = srvtx_ended,
	.free = srvtx_free,
};
