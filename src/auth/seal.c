/*
 * Short secrets that others carry for us, in text: who has not the key can neither read nor make nor change one. A server keeps its
 * state in the messages that way (a flow in a Record-Route, an address in a temporary GRUU) and nothing in its memory.
 *
 * It is the construction of a synthetic IV (Rogaway, Shrimpton: "Deterministic Authenticated-Encryption") on SipHash-2-4 with 128
 * bits: a MAC over the plain bytes, of which 96 bits go along, is the nonce of a key stream over them. The same bytes give the same
 * text; who does not want that puts random ones in front.
 */
#include <tandem/auth.h>

static void subkey(uint8_t out[16], const uint8_t key[16], char what)
{
	td_siphash128(out, key, &what, 1);
}

static void tag_of(uint8_t tag[TD_SEAL_TAG], const uint8_t key[16], const uint8_t *p, size_t n)
{
	uint8_t mac_key[16], mac[16];

	subkey(mac_key, key, 'm');
	td_siphash128(mac, mac_key, p, n);
	memcpy(tag, mac, TD_SEAL_TAG);
}

/* The same again undoes it. */
static void cipher(uint8_t *p, size_t n, const uint8_t key[16], const uint8_t tag[TD_SEAL_TAG])
{
	uint8_t stream_key[16], block[TD_SEAL_TAG + 4], stream[16];

	subkey(stream_key, key, 'c');
	memcpy(block, tag, TD_SEAL_TAG);
	for (uint32_t i = 0; i * 16 < n; i++) {
		block[TD_SEAL_TAG] = (uint8_t)i;
		block[TD_SEAL_TAG + 1] = (uint8_t)(i >> 8);
		block[TD_SEAL_TAG + 2] = (uint8_t)(i >> 16);
		block[TD_SEAL_TAG + 3] = (uint8_t)(i >> 24);
		td_siphash128(stream, stream_key, block, sizeof(block));
		for (size_t k = 0; k < 16 && i * 16 + k < n; k++)
			p[i * 16 + k] ^= stream[k];
	}
}

/* RFC 4648 §5 without padding: every character may stand in a user part and in a parameter. */
static const char alphabet[64] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static int value_of(char c)
{
	const char *at = c ? memchr(alphabet, c, sizeof(alphabet)) : NULL;

	return at ? (int)(at - alphabet) : -1;
}

static void encode(struct td_out *o, const uint8_t *p, size_t n)
{
	uint32_t bits = 0;
	unsigned have = 0;

	for (size_t i = 0; i < n; i++) {
		bits = bits << 8 | p[i];
		for (have += 8; have >= 6; have -= 6)
			td_out_char(o, alphabet[bits >> (have - 6) & 63]);
	}
	if (have)
		td_out_char(o, alphabet[bits << (6 - have) & 63]);
}

/* Bytes written, or -1: foreign characters, stray bits, no place. There is one text for bytes, and no other. */
static int decode(uint8_t *out, size_t cap, struct td_str s)
{
	uint32_t bits = 0;
	unsigned have = 0;
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		int v = value_of(s.p[i]);

		if (v < 0)
			return -1;
		bits = bits << 6 | (uint32_t)v;
		have += 6;
		if (have < 8)
			continue;
		have -= 8;
		if (n == cap)
			return -1;
		out[n++] = (uint8_t)(bits >> have);
	}
	return have < 6 && !(bits & ((1u << have) - 1)) ? (int)n : -1;
}

void td_seal(struct td_out *o, const uint8_t key[16], const void *bytes, size_t n)
{
	uint8_t whole[TD_SEAL_TAG + TD_SEAL_MAX];

	assert(n <= TD_SEAL_MAX);
	memcpy(whole + TD_SEAL_TAG, bytes, n);
	tag_of(whole, key, whole + TD_SEAL_TAG, n);
	cipher(whole + TD_SEAL_TAG, n, key, whole);
	encode(o, whole, TD_SEAL_TAG + n);
}

int td_unseal(uint8_t out[TD_SEAL_MAX], size_t *out_n, const uint8_t key[16], struct td_str text)
{
	uint8_t whole[TD_SEAL_TAG + TD_SEAL_MAX], want[TD_SEAL_TAG];
	int got = decode(whole, sizeof(whole), text);
	size_t n = (size_t)got - TD_SEAL_TAG;

	if (got < TD_SEAL_TAG)
		return TD_ESYNTAX;
	cipher(whole + TD_SEAL_TAG, n, key, whole);
	tag_of(want, key, whole + TD_SEAL_TAG, n);
	if (!td_str_eq_secret(td_str_n((char *)want, TD_SEAL_TAG), td_str_n((char *)whole, TD_SEAL_TAG)))
		return TD_EDENIED;
	memcpy(out, whole + TD_SEAL_TAG, n);
	*out_n = n;
	return 0;
}
