/* The sound of a call made or taken on the command line: options, a media session, and what the two commands print alike. */
#ifndef TANDEM_CLI_VOICE_H
#define TANDEM_CLI_VOICE_H

#include <tandem/media.h>

#include "cli/phone.h"

struct voice {
	struct phone phone;
	/* options */
	const char *play, *record, *dtmf, *codec, *srtp;
	uint32_t tone_hz, duration_s;
	/* the call */
	struct td_call *call;
	struct td_media *media;
	struct td_timer duration;
	uint64_t up_ms;                            /* 0: was never answered */
	void (*over)(struct voice *v, int status); /* the call is gone */
};

#define VOICE_OPTIONS(v)                                                                                                         \
	PHONE_OPTIONS(&(v)->phone), { "play", 0, CLI_TEXT, &(v)->play }, { "record", 0, CLI_TEXT, &(v)->record },                \
		{ "dtmf", 0, CLI_TEXT, &(v)->dtmf }, { "codec", 0, CLI_TEXT, &(v)->codec }, { "srtp", 0, CLI_TEXT, &(v)->srtp }, \
		{ "tone", 0, CLI_NUMBER, &(v)->tone_hz },                                                                        \
	{                                                                                                                        \
		"duration", 0, CLI_NUMBER, &(v)->duration_s                                                                      \
	}

#define VOICE_HELP                                                                       \
	PHONE_HELP                                                                       \
	"  --play FILE.wav       play it (8 kHz mono), then hang up unless --duration\n" \
	"  --tone HZ             play a tone instead\n"                                  \
	"  --record FILE.wav     record what is heard\n"                                 \
	"  --dtmf DIGITS         send keys once the call is up\n"                        \
	"  --duration SECONDS    hang up after so long\n"                                \
	"  --codec NAME          only this codec: PCMU or PCMA\n"                        \
	"  --srtp off            (only off so far)\n"

extern const struct td_session voice_session;    /* arg: the voice */
extern const struct td_call_events voice_events; /* arg: the voice */

/* Checks the options before anything is opened. 0, or the exit status after saying what is wrong. */
int voice_check(struct voice *v);
/* Ports, and what is to be played and recorded; for a call about to be made or answered. 0, or an exit status. */
int voice_open(struct voice *v);
void voice_close(struct voice *v);

#endif
