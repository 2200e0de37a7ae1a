/* Four threads post to one loop: nothing lost, nothing twice, each sender's mail in its order, no wake-up missed. */
#include "support.h"

#include <pthread.h>
#include <sched.h>

#include <tandem/loop.h>

enum { SENDERS = 4, MAILS = 20000 };

struct letter {
	struct td_mail mail;
	unsigned sender, number;
};

struct office {
	struct td_loop *loop;
	unsigned next[SENDERS], open;
	bool answer;
	_Atomic unsigned seen[SENDERS];
};

static struct office office;

static void receive(struct td_mail *m, void *arg)
{
	struct letter *l = TD_CONTAINER_OF(m, struct letter, mail);
	struct office *o = arg;

	assert_null(m->next);
	assert_int_equal(l->number, o->next[l->sender]);
	o->next[l->sender]++;
	if (o->answer)
		atomic_store(&o->seen[l->sender], l->number + 1);
	if (l->number == MAILS - 1 && --o->open == 0)
		td_loop_stop(o->loop);
	free(l);
}

static void *send_all(void *arg)
{
	unsigned me = (unsigned)(uintptr_t)arg;

	for (unsigned i = 0; i < MAILS; i++) {
		struct letter *l = malloc(sizeof(*l));

		if (!l)
			abort();
		*l = (struct letter){ .mail = { .fn = receive, .arg = &office }, .sender = me, .number = i };
		td_loop_post(office.loop, &l->mail);
		/* One at a time lets the loop fall asleep between any two: a lost wake-up would hang here. */
		while (office.answer && atomic_load(&office.seen[me]) <= i)
			sched_yield();
	}
	return NULL;
}

static void four_senders(bool answer)
{
	pthread_t threads[SENDERS];

	office = (struct office){ .open = SENDERS, .answer = answer };
	assert_int_equal(td_loop_open(&office.loop), 0);
	for (unsigned i = 0; i < SENDERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, send_all, (void *)(uintptr_t)i), 0);
	assert_int_equal(td_loop_run(office.loop), 0);
	for (unsigned i = 0; i < SENDERS; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_int_equal(office.next[i], MAILS);
	}
	td_loop_close(office.loop);
}

static void as_fast_as_they_can(void **state)
{
	four_senders(false);
}

static void one_at_a_time(void **state)
{
	four_senders(true);
}

static void post_again(struct td_mail *m, void *arg)
{
	if (++*(unsigned *)arg < 3)
		td_loop_post(office.loop, m); /* comes next turn, not in this delivery */
	else
		td_loop_stop(office.loop);
}

static void own_thread_and_drain(void **state)
{
	unsigned count = 0;
	struct td_mail m = { .fn = post_again, .arg = &count };

	assert_int_equal(td_loop_open(&office.loop), 0);
	td_loop_post(office.loop, &m);
	assert_int_equal(count, 0);
	assert_int_equal(td_loop_run(office.loop), 0);
	assert_int_equal(count, 3);
	count = 1;
	td_loop_post(office.loop, &m);
	td_loop_drain(office.loop);
	assert_int_equal(count, 3);
	td_loop_close(office.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_fast_as_they_can),
		cmocka_unit_test(one_at_a_time),
		cmocka_unit_test(own_thread_and_drain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
