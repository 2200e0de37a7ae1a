/* The program of our own: every table. */
#include "ours.h"

int main(int argc, char **argv)
{
	static const struct micro *const tables[] = {
		micro_parse, micro_build, micro_digest, micro_location, micro_timers, NULL
	};

	return micro_main(argc, argv, tables);
}
