/* Non-INVITE client transaction: RFC 3261 figure 6. Timer E does not run on reliable transports and K is 0 there. */
#include "internal.h"

static const struct arrow rules[TXN_STATES][TXN_EVENTS] = {
	[NO_STATE] = {
		[EV_START]     = { TRYING,     SEND | ARM_E | ARM_F },
	},
	[TRYING] = {
		[EV_TIMER_E]   = { TRYING,     RESEND | ARM_E },
		[EV_TIMER_F]   = { TERMINATED, 0 },
		[EV_TPORT_ERR] = { TERMINATED, 0 },
		[EV_1XX]       = { PROCEEDING, TO_TU },
		[EV_2XX]       = { COMPLETED,  TO_TU | STOP_RETRY | ARM_K | FORGET },
		[EV_300_699]   = { COMPLETED,  TO_TU | STOP_RETRY | ARM_K | FORGET },
	},
	[PROCEEDING] = {
		[EV_TIMER_E]   = { PROCEEDING, RESEND | ARM_E_AT_T2 },
		[EV_TIMER_F]   = { TERMINATED, 0 },
		[EV_TPORT_ERR] = { TERMINATED, 0 },
		[EV_1XX]       = { PROCEEDING, TO_TU },
		[EV_2XX]       = { COMPLETED,  TO_TU | STOP_RETRY | ARM_K | FORGET },
		[EV_300_699]   = { COMPLETED,  TO_TU | STOP_RETRY | ARM_K | FORGET },
	},
	[COMPLETED] = {
		[EV_TIMER_K]   = { TERMINATED, 0 },
	},
};

const struct machine td_client_machine = {
	.name = "client",
	.client = true,
	.rules = rules,
	.retry_event = { [TRYING] = EV_TIMER_E, [PROCEEDING] = EV_TIMER_E },
	.life_event = { [TRYING] = EV_TIMER_F, [PROCEEDING] = EV_TIMER_F, [COMPLETED] = EV_TIMER_K },
	.act = clitx_act,
	.ended = clitx_ended,
	.free = clitx_free,
};
