/* The tables of our own program, one a file; each ends with a row without a name. */
#ifndef MICRO_OURS_H
#define MICRO_OURS_H

#include "micro.h"

#include <tandem/sip.h>

extern const struct micro micro_parse[], micro_build[], micro_digest[], micro_location[], micro_timers[];

/* A message of our own, parsed; its buffer is counted by it. */
struct td_msg *parsed(int which);

#endif
