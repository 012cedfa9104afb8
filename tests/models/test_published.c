#include "tests/suites.h"
#include <check.h>
Suite *suite_models_published(void);
Suite *suite_models_published(void) { return suite_create("models/published"); }
