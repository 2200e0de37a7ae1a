/* Content-Type and the ranges of Accept (RFC 3261 §20.15, §20.1). */
#include "internal.h"

/*
 * media-type   =  m-type SLASH m-subtype *( SEMI m-parameter )
 * media-range  =  ( "*" "/" "*" / m-type SLASH "*" / m-type SLASH m-subtype ) *( SEMI m-parameter )
 * "*" is a token character, so that a range needs no rule of its own.
 */
int td_media_type_parse(struct td_media_type *out, struct td_str value)
{
	struct td_cur c = td_cur_of(value);
	struct td_media_type mt;

	mt.type = td_cur_token(&c);
	if (!td_cur_sep(&c, '/'))
		return TD_ESYNTAX;
	mt.subtype = td_cur_token(&c);
	mt.params = td_cur_params(&c);
	if (!td_cur_end(&c))
		return TD_ESYNTAX;
	*out = mt;
	return 0;
}
