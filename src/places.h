/*
 * Where weight files lie: the directories of TINTYPE_MODELS (colons between them),
 * $XDG_DATA_HOME/tintype/models
 * (~/.local/share/tintype/models), /usr/local/share/tintype/models, /usr/share/tintype/models, searched in
 * that order.
 */
#ifndef TT_SRC_PLACES_H
#define TT_SRC_PLACES_H

#include "engine/status.h"

#include <stdbool.h>

/* The directories in order, whether they exist or not, NULL at the end; tt_places_free() them. */
tt_status tt_places(char ***list, tt_error *err);
void tt_places_free(char **list); /* accepts NULL */

/* The path of the file `name` in the first directory that has it, to be freed; NULL where none has. */
tt_status tt_places_find(const char *name, char **path, tt_error *err);

/*
 * What -m and the like mean, to be freed. In this order: "default", "-", what contains a '/' and what exists
 * are themselves; a file in the directories above, with its ending or without; TT_ERR_INPUT with the line
 * that fetches it for an official file that is not there; anything else is itself, and opening it will say
 * what is wrong. Never fetches.
 */
tt_status tt_places_resolve(const char *word, char **path, tt_error *err);

/*
 * The first directory that new files can be put into, to be freed; those of the user are made where they are
 * missing. TT_ERR_OUTPUT where there is none.
 */
tt_status tt_places_to_write(char **directory, tt_error *err);
/* Could tt_places_to_write() take it as it is now? */
bool tt_place_writable(const char *directory);

/* "tintype models fetch NAME", or how else people get that file. Good until the next call. */
struct tt_official;
const char *tt_places_advice(const struct tt_official *o);

#endif
