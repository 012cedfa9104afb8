/*
 * Facts as JSON objects, which `tintype info` and `tintype models` show to people and machines.
 */
#ifndef TT_SRC_FACTS_H
#define TT_SRC_FACTS_H

#include "engine/status.h"

#include <jansson.h>
#include <stdbool.h>

/*
 * What a weight file holds: its network or, where its tensors are of no network that is known, their names.
 * settings: as for tt_network_open(). TT_ERR_UNSUPPORTED where it is no weight file.
 */
tt_status tt_facts_weights(const char *path, const char *const *settings, json_t **facts, tt_error *err);
/* The devices of this machine, shown so, one after the other; gives the exit code. */
int tt_facts_devices(bool as_json);
/* On standard output, as a line of JSON or as lines for people; with `more`, an empty line then. Releases it.
 */
void tt_facts_show(json_t *object, bool as_json, bool more);

#endif
