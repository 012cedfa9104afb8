#define _GNU_SOURCE /* strtod_l */
#include "engine/weights/number.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* What is written, before it is worked out: digits * 10^exponent. */
typedef struct decimal {
    uint64_t digits;
    int exponent;
    bool exact; /* all digits are in `digits` */
    bool minus;
} decimal;

static size_t read_digits(const char *text, size_t n, decimal *d, int step)
{
    size_t i = 0;
    for (; i < n && text[i] >= '0' && text[i] <= '9'; i++) {
        if (d->digits > (UINT64_MAX - 9) / 10) {
            d->exact = false;
            continue;
        }
        d->digits = d->digits * 10 + (uint64_t)(text[i] - '0');
        d->exponent -= step;
    }
    return i;
}

/* Text to a decimal; false where it is no number. */
static bool scan(const char *text, size_t n, decimal *d)
{
    *d = (decimal){.exact = true};
    size_t at = 0;
    if (at < n && text[at] == '-') {
        d->minus = true;
        at++;
    }
    size_t some = read_digits(text + at, n - at, d, 0);
    at += some;
    if (!some)
        return false;
    if (at < n && text[at] == '.') {
        at++;
        some = read_digits(text + at, n - at, d, 1);
        at += some;
        if (!some)
            return false;
    }
    if (at < n && (text[at] == 'e' || text[at] == 'E')) {
        at++;
        const bool down = at < n && text[at] == '-';
        at += at < n && (text[at] == '-' || text[at] == '+');
        int e = 0;
        some = 0;
        for (; at < n && text[at] >= '0' && text[at] <= '9'; at++, some++)
            e = e < 100000 ? e * 10 + (text[at] - '0') : e;
        if (!some)
            return false;
        d->exponent += down ? -e : e;
    }
    return at == n;
}

/* strtod() in the C locale, which newlocale() hands out without a copy. NAN where there is none. */
static double slow(const char *text, size_t n)
{
    char copy[TT_LONGEST_NUMBER + 1];
    memcpy(copy, text, n);
    copy[n] = 0;
    const locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!c)
        return NAN;
    const double value = strtod_l(copy, NULL, c);
    freelocale(c);
    return value;
}

bool tt_number(const char *text, size_t n, double *value)
{
    /* the powers of ten that a double holds exactly: one multiplication or division then rounds once */
    static const double tens[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                  1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    decimal d;
    *value = 0;
    if (n > TT_LONGEST_NUMBER || !scan(text, n, &d))
        return false;
    if (d.exact && d.digits <= (uint64_t)1 << 53 && d.exponent >= -22 && d.exponent <= 22) {
        const double v = (double)d.digits;
        *value = d.exponent < 0 ? v / tens[-d.exponent] : v * tens[d.exponent];
        if (d.minus)
            *value = -*value;
        return true;
    }
    *value = slow(text, n);
    return !isnan(*value);
}

float tt_number_float(double d)
{
    return d > FLT_MAX ? INFINITY : d < -FLT_MAX ? -INFINITY : (float)d;
}
