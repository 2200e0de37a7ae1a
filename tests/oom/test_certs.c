/* The server's own certificate with every allocation of ours failing in turn: phones know it by its fingerprint, so it stays what it is. */
#include "failing.h"

#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "server/certs/certs.h"

struct folder {
	char path[64], file[96], key[96];
	struct td_config *cfg;
	struct stat made; /* the key */
};

static int open_certs(void *arg)
{
	struct folder *f = arg;
	struct td_certs *c = NULL;
	struct td_out why;
	struct stat st;
	int err;

	td_out_init(&why);
	err = td_certs_open(&c, f->cfg, NULL, (uint64_t)time(NULL), NULL, &why);
	td_certs_unref(c);
	td_out_free(&why);
	assert_int_equal(stat(f->key, &st), 0);
	assert_int_equal(st.st_ino, f->made.st_ino); /* a new one would be another file */
	return err;
}

static void it_stays(void **state)
{
	struct td_out yaml, errors;
	struct td_certs *c;
	struct folder f;

	snprintf(f.path, sizeof(f.path), "/tmp/tandem-oom-certs-XXXXXX");
	assert_non_null(mkdtemp(f.path));
	snprintf(f.file, sizeof(f.file), "%s/tls.crt", f.path);
	snprintf(f.key, sizeof(f.key), "%s/tls.key", f.path);
	td_out_init(&yaml);
	td_out_init(&errors);
	td_out_fmt(&yaml, "state: %s\ndomains: [{name: a.test}, {name: b.test}]\nlisten: ['tls:192.0.2.1']\n", f.path);
	assert_int_equal(td_config_parse(&f.cfg, &errors, TD_STR("t.yaml"), td_out_view(&yaml)), 0);
	assert_int_equal(td_certs_open(&c, f.cfg, NULL, (uint64_t)time(NULL), NULL, &errors), 0);
	td_certs_unref(c);
	assert_int_equal(stat(f.key, &f.made), 0);
	assert_true(oom_each(open_certs, &f) > 10);
	td_config_unref(f.cfg);
	td_out_free(&yaml);
	td_out_free(&errors);
	unlink(f.file);
	unlink(f.key);
	assert_int_equal(rmdir(f.path), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(it_stays) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
