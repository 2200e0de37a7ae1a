#include <tandem/media.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *why = NULL;
	int16_t pcm[160];
	struct td_wav w;
	size_t at = 0, n;

	if (td_wav_parse(&w, td_str_n((const char *)data, size), &why)) {
		if (!why)
			__builtin_trap();
		return 0;
	}
	while ((n = td_wav_read(&w, pcm, at, TD_ARRAY_LEN(pcm))))
		at += n;
	if (at != w.samples || at > size)
		__builtin_trap();
	return 0;
}
