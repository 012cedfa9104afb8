/* Numbers written as text. Locale-free: "0.25" is a quarter whatever the program's locale says. */
#ifndef TT_ENGINE_WEIGHTS_NUMBER_H
#define TT_ENGINE_WEIGHTS_NUMBER_H

#include <stdbool.h>
#include <stddef.h>

enum { TT_LONGEST_NUMBER = 64 }; /* bytes; nobody writes more digits than a double has */

/*
 * *value = the double nearest to the n bytes of text, all of them: an optional minus, digits with at most one
 * point and at least one digit on each side of it, an optional exponent. False where it is none of that, or
 * longer than TT_LONGEST_NUMBER. Too large a number becomes infinite.
 */
bool tt_number(const char *text, size_t n, double *value);

/* To a float: infinite where it is too large. */
float tt_number_float(double d);

#endif
