/*
 * Small .pth files made in memory, sound and broken ones: for the tests of their readers. Everything returned is to
 * be freed with free(.p).
 */
#ifndef TT_TESTS_ENGINE_PTH_WRITE_H
#define TT_TESTS_ENGINE_PTH_WRITE_H

#include <stdbool.h>
#include <stddef.h>

typedef struct pw_bytes {
    unsigned char *p;
    size_t n, room;
} pw_bytes;

void pw_put(pw_bytes *b, const void *bytes, size_t n);
void pw_number(pw_bytes *b, unsigned long long v, int bytes); /* little endian */

/*
 * A pickle from words with a blank between them. PROTO 2 comes before and STOP after it, but where the first word
 * is "!".
 *
 *     ( } ] ) N t s u a e R b Q 0 .   the opcode of that letter
 *     'text'                          a string, without a blank in it; '' is the empty one
 *     7  -7  00                       a number
 *     True  False                     these
 *     q5 h5                           BINPUT, BINGET
 *     @module.name                    a global
 *     x8a02ffff                       bytes
 *     #Float:key:count                a storage
 *     $Float:key:count:offset:2x3:3x1 a tensor of shape (2, 3) and stride (3, 1); "-" is the empty tuple
 *     %name                           an object of that class of torch.nn, to be followed by its state and b
 */
pw_bytes pw_pickle(const char *words);

typedef struct pw_member {
    const char *name; /* of a zip member with its folder; of a storage: the key */
    const void *data;
    size_t n;
} pw_member;

/* What a zip archive has that PyTorch's own do not. */
typedef struct pw_oddity {
    bool packed;        /* each member deflated, in one stored block */
    bool sizes;         /* the local headers say size and CRC */
    bool zip64;         /* sizes and offsets in extra fields */
    int method;         /* said, and nothing done */
    int flags;          /* more bits of the header's */
    long wrong_size;    /* added to what both headers say of the last member's size */
    bool wrong_crc;     /* of the last member */
    const char *other;  /* the last member's name in its local header */
} pw_oddity;
pw_bytes pw_zip(const pw_member *m, size_t count, const pw_oddity *odd); /* odd may be NULL */

/* The pickle and its storages as torch.save() writes them, "X/data.pkl" and so on. */
pw_bytes pw_pth(const char *words, const pw_member *storages, size_t count, const pw_oddity *odd);

/*
 * As it wrote them before 1.6. A storage's count is its bytes divided by `item`. What stands before the object is
 * `head`, or what is usual.
 */
pw_bytes pw_legacy(const char *words, const pw_member *storages, size_t count, size_t item, const pw_bytes *head);
pw_bytes pw_legacy_head(const char *version, const char *system); /* words of a pickle each */

#endif
