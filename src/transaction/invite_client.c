/*
 * INVITE client transaction: figure 5 of RFC 3261 as replaced by RFC 6026 §8.4. Timer A does not run on reliable transports and D
 * is 0 there (table 4). 2xx are the TU's to acknowledge; 300-699 are acknowledged here, again and again.
 *
 * GIVE_UP is not in the figure, where Proceeding lasts until a final response comes. It ends a transaction that was cancelled
 * 64*T1 ago (§9.1: "SHOULD then consider the original transaction cancelled") or whose TU has gone.
 */
#include "internal.h"

static const struct arrow rules[TXN_STATES][TXN_EVENTS] = {
	[NO_STATE] = {
		[EV_START]     = { CALLING,    SEND | ARM_A | ARM_B },
	},
	[CALLING] = {
		[EV_TIMER_A]   = { CALLING,    RESEND | ARM_A },
		[EV_TIMER_B]   = { TERMINATED, 0 },
		[EV_TPORT_ERR] = { TERMINATED, 0 },
		[EV_1XX]       = { PROCEEDING, TO_TU | STOP_RETRY | STOP_LIFE },
		[EV_2XX]       = { ACCEPTED,   TO_TU | STOP_RETRY | ARM_M | FORGET },
		[EV_300_699]   = { COMPLETED,  SEND_ACK | TO_TU | STOP_RETRY | ARM_D | FORGET },
	},
	[PROCEEDING] = {
		[EV_1XX]       = { PROCEEDING, TO_TU },
		[EV_2XX]       = { ACCEPTED,   TO_TU | ARM_M | FORGET },
		[EV_300_699]   = { COMPLETED,  SEND_ACK | TO_TU | ARM_D | FORGET },
		[EV_GIVE_UP]   = { TERMINATED, 0 },
		/* Not drawn, and yet nothing can come any more by a connection that is gone (§17.1.4). */
		[EV_TPORT_ERR] = { TERMINATED, 0 },
	},
	[COMPLETED] = {
		[EV_300_699]   = { COMPLETED,  SEND_ACK },
		[EV_TIMER_D]   = { TERMINATED, 0 },
		[EV_TPORT_ERR] = { TERMINATED, 0 },
	},
	[ACCEPTED] = {
		[EV_2XX]       = { ACCEPTED,   TO_TU },
		[EV_TIMER_M]   = { TERMINATED, 0 },
	},
};

const struct machine td_invite_client_machine = {
	.name = "invite client",
	.client = true,
	.rules = rules,
	.retry_event = { [CALLING] = EV_TIMER_A },
	.life_event = { [CALLING] = EV_TIMER_B, [PROCEEDING] = EV_GIVE_UP, [COMPLETED] = EV_TIMER_D, [ACCEPTED] = EV_TIMER_M },
	.act = clitx_act,
	.ended = clitx_ended,
	.free = clitx_free,
};
