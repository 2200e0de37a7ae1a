#ifndef SDP_INTERNAL_H
#define SDP_INTERNAL_H

#include <tandem/sdp.h>

/* Takes the next word off *rest; words are parted by one or more spaces. Empty at the end. */
struct td_str sdp_word(struct td_str *rest);
/* <nettype> <addrtype> <connection-address>: the value of c=, the tail of a=rtcp. */
int sdp_conn_parse(struct td_sdp_conn *out, struct td_str value);
void sdp_lines_init(struct td_sdp_lines *l);
int sdp_line_add(struct td_sdp_lines *l, struct td_arena *a, char type, struct td_str value);
/* Appends an empty media; NULL when memory is out. */
struct td_sdp_media *sdp_media_add(struct td_sdp *sdp, struct td_arena *a);
struct td_sdp *sdp_new(struct td_arena *a);

#endif
