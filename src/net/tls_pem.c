/* PEM text (RFC 7468) as OpenSSL reads it, and what its errors mean. */
#include "tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>

BIO *tls_pem_bio(struct td_str pem)
{
	return pem.n && pem.n <= INT32_MAX ? BIO_new_mem_buf(pem.p, (int)pem.n) : NULL;
}

/* A file that asks for a password cannot be used by a server that nobody sits at; and OpenSSL would ask on the terminal. */
int tls_pem_no_password(char *buf, int size, int writing, void *arg)
{
	return -1;
}

int tls_pem_error(const char **reason)
{
	unsigned long code = ERR_peek_last_error();
	int err = TD_ESYNTAX;

	*reason = code ? ERR_reason_error_string(code) : NULL;
	/* It is the first of a row: those above it say that theirs went wrong. */
	while ((code = ERR_get_error()))
		if (ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE)
			err = -ENOMEM;
	return err;
}

bool tls_pem_end(void)
{
	unsigned long code = ERR_peek_last_error();

	if (ERR_GET_LIB(code) != ERR_LIB_PEM || ERR_GET_REASON(code) != PEM_R_NO_START_LINE)
		return false;
	ERR_clear_error();
	return true;
}
