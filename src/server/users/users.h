/*
 * server/users: who may authenticate. A directory read by every worker without a lock: the one writer (the control thread)
 * publishes changes with atomic stores and frees what it replaced when every worker has passed a turn.
 */
#ifndef TANDEM_SERVER_USERS_H
#define TANDEM_SERVER_USERS_H

#include <tandem/auth.h>
#include <tandem/loop.h>

struct td_user {
	struct td_str aor;       /* "alice@example.test" as td_uri_aor() writes it */
	struct td_str extension; /* empty: none */
	bool has[TD_DIGEST_ALGS];
	struct td_ha1 ha1[TD_DIGEST_ALGS]; /* realm = the domain of the aor */
};

struct td_users;

int td_users_open(struct td_users **out, struct td_rng *rng);
void td_users_close(struct td_users *u); /* after its readers' loops have stopped for good */
/* A loop that reads it. Before the workers start. */
int td_users_reader(struct td_users *u, struct td_loop *loop);
/* Adds or replaces; copies. Writer only. */
int td_users_put(struct td_users *u, const struct td_user *user);
int td_users_remove(struct td_users *u, struct td_str aor);
/*
 * Taking the whole directory anew: begin, put every user there is, end. Users that were not put are gone after end; when it
 * is not called (a put failed, the store broke off) nobody is lost. In between an extension may pass from one to another in any
 * order. Who did not change is left as he is, so that taking all of a large directory anew costs no memory.
 */
void td_users_begin(struct td_users *u);
void td_users_end(struct td_users *u);
size_t td_users_count(const struct td_users *u);
/* Any reader. The result stays valid until the end of the reader's loop turn. NULL: unknown. */
const struct td_user *td_users_find(const struct td_users *u, struct td_str aor);
/*
 * The same in three steps, for who has other work to do between them: a large directory is in no cache, and each step asks the memory
 * for what the next one reads. The key views aor.
 */
struct td_users_key {
	struct td_str aor;
	uint64_t hash;
};

struct td_users_key td_users_expect(const struct td_users *u, struct td_str aor);
void td_users_approach(const struct td_users *u, const struct td_users_key *key); /* may be left out */
const struct td_user *td_users_find_expected(const struct td_users *u, const struct td_users_key *key);
const struct td_user *td_users_find_extension(const struct td_users *u, struct td_str domain, struct td_str extension);

#endif
