/*
 * Date (RFC 3261 §20.17). Unlike HTTP, SIP knows one format and one time zone, so a date either is a UTC second or it is
 * no date. The calendar is computed here (days since a 1 March, so that the leap day comes last): libc's calls for it
 * look at the process's locale and time zone.
 */
#include "internal.h"

static const char wkdays[] = "SunMonTueWedThuFriSat";
static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

/* Index of the three letters at the cursor in a list of names; ABNF strings are case-insensitive. */
static unsigned name3(struct td_cur *c, const char *names, unsigned n)
{
	unsigned i;

	for (i = 0; !c->bad && c->end - c->p >= 3 && i < n; i++) {
		if (td_str_ieq(td_str_n(c->p, 3), td_str_n(names + 3 * i, 3))) {
			c->p += 3;
			return i;
		}
	}
	c->bad = true;
	return 0;
}

static unsigned digits(struct td_cur *c, unsigned n)
{
	unsigned v = 0;

	if (c->bad || c->end - c->p < (ptrdiff_t)n) {
		c->bad = true;
		return 0;
	}
	for (; n; n--, c->p++) {
		if (*c->p < '0' || *c->p > '9')
			c->bad = true;
		v = v * 10 + (unsigned)(*c->p - '0');
	}
	return v;
}

static void literal(struct td_cur *c, struct td_str want)
{
	if (c->bad || (size_t)(c->end - c->p) < want.n || !td_str_ieq(td_str_n(c->p, want.n), want))
		c->bad = true;
	else
		c->p += want.n;
}

static int64_t days_from_civil(unsigned year, unsigned month, unsigned day)
{
	unsigned y = month <= 2 ? year - 1 : year;
	unsigned era = y / 400, yoe = y % 400;
	unsigned doy = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	return (int64_t)era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static unsigned days_in_month(unsigned year, unsigned month)
{
	static const uint8_t len[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return month == 2 && leap ? 29 : len[month - 1];
}

/*
 * rfc1123-date  =  wkday "," SP date1 SP time SP "GMT"
 * date1         =  2DIGIT SP month SP 4DIGIT
 * time          =  2DIGIT ":" 2DIGIT ":" 2DIGIT          ; 00:00:00 - 23:59:59
 * The weekday is not compared with the date. Before 1970: TD_ELIMIT.
 */
int td_date_parse(uint64_t *out_unix_s, struct td_str value)
{
	struct td_cur c = td_cur_of(value);
	unsigned day, month, year, hour, min, sec;

	name3(&c, wkdays, 7);
	literal(&c, TD_STR(", "));
	day = digits(&c, 2);
	literal(&c, TD_STR(" "));
	month = name3(&c, months, 12) + 1;
	literal(&c, TD_STR(" "));
	year = digits(&c, 4);
	literal(&c, TD_STR(" "));
	hour = digits(&c, 2);
	literal(&c, TD_STR(":"));
	min = digits(&c, 2);
	literal(&c, TD_STR(":"));
	sec = digits(&c, 2);
	literal(&c, TD_STR(" GMT")); /* "SIP restricts the time zone to GMT", §20.17 */
	if (c.bad || c.p != c.end)
		return TD_ESYNTAX;
	if (day < 1 || day > days_in_month(year, month) || hour > 23 || min > 59 || sec > 59)
		return TD_ESYNTAX;
	if (year < 1970)
		return TD_ELIMIT;
	*out_unix_s = (uint64_t)days_from_civil(year, month, day) * 86400 + hour * 3600 + min * 60 + sec;
	return 0;
}

static void put2(struct td_out *o, unsigned v)
{
	td_out_char(o, (char)('0' + v / 10));
	td_out_char(o, (char)('0' + v % 10));
}

/* The same, printed: by hand, since every 200 to REGISTER has one. Four digits hold no year after 9999: later times print as its last second. */
void td_date_print(struct td_out *o, uint64_t unix_s)
{
	uint64_t t = unix_s > 253402300799 ? 253402300799 : unix_s;
	unsigned days = (unsigned)(t / 86400), sec = (unsigned)(t % 86400);
	unsigned z = days + 719468, era = z / 146097, doe = z % 146097;
	unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	unsigned mp = (5 * doy + 2) / 153;
	unsigned month = mp < 10 ? mp + 3 : mp - 9;
	unsigned year = yoe + era * 400 + (month <= 2);

	td_out_str(o, td_str_n(wkdays + 3 * ((days + 4) % 7), 3));
	td_out_str(o, TD_STR(", "));
	put2(o, doy - (153 * mp + 2) / 5 + 1);
	td_out_char(o, ' ');
	td_out_str(o, td_str_n(months + 3 * (month - 1), 3));
	td_out_char(o, ' ');
	put2(o, year / 100);
	put2(o, year % 100);
	td_out_char(o, ' ');
	put2(o, sec / 3600);
	td_out_char(o, ':');
	put2(o, sec / 60 % 60);
	td_out_char(o, ':');
	put2(o, sec % 60);
	td_out_str(o, TD_STR(" GMT"));
}
