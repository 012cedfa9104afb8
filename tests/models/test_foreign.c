#include "tests/suites.h"
#include <check.h>
Suite *suite_models_foreign(void);
Suite *suite_models_foreign(void) { return suite_create("models/foreign"); }
