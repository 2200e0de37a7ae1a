/* Which words the hosts file has: what is there is found however it is written, and the file is read again only when it changed. */
#include "../../support.h"

#include <fcntl.h>
#include <unistd.h>

#include "net/dns.h"

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void words(void **state)
{
	static const struct {
		const char *name;
		bool there;
	} rows[] = { { "one.test", true },       { "two", true },  { "three.test", true }, { "four.test", true },
		     { "after.test", true },     { "last", true }, { "one", false },       { "test", false },
		     { "one.test.evil", false }, { "", false } };
	char path[] = "/tmp/tandem-hosts-XXXXXX";
	struct dns_hosts h = { 0 };
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	close(fd);
	put(path,
	    "# a comment\n192.0.2.1\tOne.TEST two\r\n192.0.2.3 three.test#after.test\n\n2001:db8::1  four.test.   # x\n::1 last");
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++)
		assert_int_equal(dns_hosts_may_have(&h, path, td_str_of(rows[i].name)), rows[i].there);
	assert_int_equal(h.reads, 1);
	put(path, "192.0.2.1 five.test\n");
	assert_true(dns_hosts_may_have(&h, path, TD_STR("five.test")));
	assert_false(dns_hosts_may_have(&h, path, TD_STR("one.test")));
	assert_int_equal(h.reads, 2);
	put(path, "");
	assert_false(dns_hosts_may_have(&h, path, TD_STR("five.test")));
	assert_int_equal(unlink(path), 0);
	assert_false(dns_hosts_may_have(&h, path, TD_STR("five.test")));
	assert_true(dns_hosts_may_have(&h, "/", TD_STR("five.test"))); /* it cannot be read, and who knows */
	dns_hosts_free(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(words) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
