/*
 * Which words the hosts file has. It is looked at for each name that is not in the cache, and may be long; so it is read when it has
 * changed, and of a word a hash is kept. What a line means is c-ares's business: it is asked about names that are among the words.
 */
#include "dns.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HOSTS_MOST = 16 << 20 };

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static uint64_t hash_of(struct td_str word)
{
	static const struct td_hash_key key = { 0 };
	char lower[TD_DNS_NAME_MAX + 1];
	size_t n = word.n < sizeof(lower) ? word.n : sizeof(lower);

	for (size_t i = 0; i < n; i++)
		lower[i] = td_lower(word.p[i]);
	return td_hash(&key, lower, n);
}

static bool is_between(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r') || c == '#' || c == '\0';
}

/* The next word; empty: there is no more. */
static struct td_str next_word(struct td_str *text)
{
	struct td_str word;
	size_t i = 0;

	if (!text->n)
		return TD_STR_NULL;
	while (text->n && is_between(*text->p))
		*text = td_str_n(text->p + 1, text->n - 1);
	while (i < text->n && !is_between(text->p[i]))
		i++;
	word = td_str_n(text->p, i);
	*text = td_str_n(text->p + i, text->n - i);
	/* With the root's dot or without it is the same name. */
	return word.n > 1 && word.p[word.n - 1] == '.' ? td_str_n(word.p, word.n - 1) : word;
}

static int keep_words(struct dns_hosts *h, struct td_str text)
{
	struct td_str rest = text;
	size_t n = 0;

	while (next_word(&rest).n)
		n++;
	free(h->words);
	h->n = 0;
	h->words = malloc((n ? n : 1) * sizeof(*h->words));
	if (!h->words)
		return -ENOMEM;
	for (rest = text; h->n < n; h->n++)
		h->words[h->n] = hash_of(next_word(&rest));
	qsort(h->words, n, sizeof(*h->words), by_value);
	return 0;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static int read_words(struct dns_hosts *h, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), err;
	struct td_out o;

	if (fd < 0)
		return -errno;
	td_out_init(&o);
	err = td_read_all(&o, fd, HOSTS_MOST);
	close(fd);
	if (!err)
		err = keep_words(h, td_out_view(&o));
	td_out_free(&o);
	return err;
}

bool dns_hosts_may_have(struct dns_hosts *h, const char *path, struct td_str name)
{
	uint64_t want = hash_of(name);
	struct stat now;

	if (stat(path, &now))
		return false;
	if (!h->known || !same_file(&h->then, &now)) {
		h->known = !read_words(h, path);
		h->then = now;
		h->reads++;
	}
	return !h->known || bsearch(&want, h->words, h->n, sizeof(want), by_value);
}

void dns_hosts_free(struct dns_hosts *h)
{
	free(h->words);
	*h = (struct dns_hosts){ 0 };
}
