#include "engine/cl/pace.h"

#include <math.h>

static const double ENOUGH = 0.002; /* seconds of a trial in which waiting no longer counts for much */
enum { MOST_TRIES = 6 };
/* What one round may say: that it was slow is believed at once, that it was fast little by little, for a host that looks at the
 * clock late sees the next round begin late. */
static const double FASTEST = 0.8, SLOWEST = 4;

static double rate_of(const tt_cl_pace *p, double kind)
{
    return p->rate > 0 ? p->rate : kind;
}

double tt_cl_pace_seconds(const tt_cl_pace *p, double kind, double work)
{
    return work / rate_of(p, kind);
}

int tt_cl_pace_rows(const tt_cl_pace *p, double kind, double work, int left, int group, bool *alone)
{
    const double seconds = tt_cl_pace_seconds(p, kind, work);
    *alone = p->rate <= 0 && seconds > TT_CL_SURE;
    const double part = (*alone ? TT_CL_SURE : TT_CL_LONGEST) / seconds * left;
    if (part >= left)
        return left;
    const int rows = (int)part / group * group;
    return rows > group ? rows : group < left ? group : left;
}

void tt_cl_pace_tried(tt_cl_pace *p, double *kind, double work, double seconds)
{
    *kind = work / fmax(seconds, 1e-6);
    if (seconds >= ENOUGH || ++p->tries == MOST_TRIES)
        p->rate = *kind;
}

void tt_cl_pace_correct(tt_cl_pace *p, double *kind, double share, double ratio)
{
    /* A launch is blamed by its share: with all of it for all, a slow one would drag down whatever runs beside it. */
    const double by = pow(fmin(fmax(ratio, FASTEST), SLOWEST), -fmin(share, 1));
    double *rate = p->rate > 0 ? &p->rate : kind;
    *rate *= by;
}
