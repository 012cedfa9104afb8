#define _GNU_SOURCE
#include "tests/src/kit.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[4096];

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *f)
{
    (void)st;
    (void)f;
    if (flag == FTW_DP)
        (void)chmod(path, 0700);
    return remove(path);
}

static void clean(void)
{
    if (folder[0])
        nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void make_folder(void)
{
    const char *top = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/tintype-test-XXXXXX", top && *top ? top : "/tmp");
    if (!mkdtemp(folder))
        abort();
    chmod(folder, 0755); /* tests that give up their privileges still get in */
}

static void remove_folder(void)
{
    clean();
    folder[0] = 0;
}

/* Each test begins with an empty folder. */
static void empty_folder(void)
{
    clean();
    ck_assert_msg(!mkdir(folder, 0755), "%s cannot be made again", folder);
}

void kit_fixture(TCase *tc)
{
    tcase_add_unchecked_fixture(tc, make_folder, remove_folder);
    tcase_add_checked_fixture(tc, empty_folder, NULL);
}

const char *kit_path(const char *name)
{
    static char paths[8][8192];
    static int next;
    char *p = paths[next++ % 8];
    snprintf(p, sizeof paths[0], "%s%s%s", folder, *name ? "/" : "", name);
    return p;
}

int kit_entries(void)
{
    int n = 0;
    DIR *d = opendir(folder);
    ck_assert_ptr_nonnull(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n - 2;
}

void kit_store(const char *path, const void *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");
    ck_assert_msg(f && fwrite(bytes, 1, n, f) == n, "%s cannot be written", path);
    ck_assert_int_eq(fclose(f), 0);
}

tt_blob kit_load(const char *path)
{
    tt_blob b = {0};
    FILE *f = fopen(path, "rb");
    ck_assert_msg(f != NULL, "%s cannot be opened", path);
    fseek(f, 0, SEEK_END);
    b.size = (size_t)ftell(f);
    rewind(f);
    b.data = malloc(b.size + 1);
    ck_assert_uint_eq(fread(b.data, 1, b.size, f), b.size);
    fclose(f);
    return b;
}

static uint32_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

void kit_random(void *to, size_t n, unsigned seed)
{
    uint64_t state = seed;
    for (size_t i = 0; i < n; i++)
        ((unsigned char *)to)[i] = (unsigned char)next_random(&state);
}

/* ---- comparisons ---- */

void kit_read(tt_image *img, const tt_blob *file)
{
    tt_error err = {0};
    const tt_status st = tt_image_read_memory(img, file->data, file->size, "file", NULL, &err);
    ck_assert_msg(!st, "%s", err.text);
}

void kit_same(const tt_image *want, const tt_image *got, const char *format, ...)
{
    char what[256];
    va_list ap;
    va_start(ap, format);
    vsnprintf(what, sizeof what, format, ap);
    va_end(ap);
    ck_assert_msg(want->width == got->width && want->height == got->height && want->channels == got->channels &&
                      want->depth == got->depth,
                  "%s: %d x %d, %d x %d bits instead of %d x %d, %d x %d", what, got->width, got->height,
                  got->channels, got->depth, want->width, want->height, want->channels, want->depth);
    const size_t n = (size_t)want->width * (size_t)want->height * tt_image_pixel_bytes(want);
    const unsigned char *a = want->samples, *b = got->samples;
    for (size_t i = 0; i < n; i++)
        if (a[i] != b[i]) /* an assertion a byte would be a system call a byte */
            ck_abort_msg("%s: byte %zu is %d instead of %d", what, i, b[i], a[i]);
}

void kit_refused(const tt_blob *file, const tt_image_limits *limits, tt_status want, const char *part)
{
    tt_image img;
    tt_error err = {0};
    const tt_status st = tt_image_read_memory(&img, file->data, file->size, "file", limits, &err);
    ck_assert_msg(st == want && !strncmp(err.text, "file: ", 6) && strstr(err.text, part),
                  "status %d, \"%s\"; wanted %d and \"%s\"", st, err.text, want, part);
    ck_assert(!img.samples && !img.icc.data && !img.exif.data && !img.xmp.data && !img.iptc.data);
}

void kit_again(tt_image *back, const tt_image *img, const char *name, int quality)
{
    tt_error err = {0};
    const tt_write_options o = {.overwrite = true, .jpeg_quality = quality};
    ck_assert_msg(!tt_image_write(img, kit_path(name), &o, &err), "%s", err.text);
    ck_assert_msg(!tt_image_read(back, kit_path(name), NULL, &err), "%s", err.text);
}

void kit_turned(const tt_image *stored, const tt_image *turned, int o)
{
    static const char *const first_row = "-TTBBLRRL", *const first_column = "-LRRLTTBB";
    const int w = turned->width, h = turned->height;
    const size_t bytes = tt_image_pixel_bytes(stored);
    ck_assert_int_eq(w, o > 4 ? stored->height : stored->width);
    ck_assert_int_eq(h, o > 4 ? stored->width : stored->height);
    ck_assert_uint_eq(bytes, tt_image_pixel_bytes(turned));
    for (int row = 0; row < stored->height; row++)
        for (int column = 0; column < stored->width; column++) {
            int x = 0, y = 0;
            for (int i = 0; i < 2; i++) {
                const int n = i ? column : row;
                switch (i ? first_column[o] : first_row[o]) {
                case 'T':
                    y = n;
                    break;
                case 'B':
                    y = h - 1 - n;
                    break;
                case 'L':
                    x = n;
                    break;
                default:
                    x = w - 1 - n;
                }
            }
            if (memcmp((char *)stored->samples + (size_t)(row * stored->width + column) * bytes,
                       (char *)turned->samples + (size_t)(y * w + x) * bytes, bytes))
                ck_abort_msg("orientation %d, %zu bytes a pixel: stored row %d, column %d", o, bytes, row, column);
        }
}

void kit_settled(const tt_blob *exif, int width, int height)
{
    ck_assert_int_eq(kit_exif_value(exif, false, 0x112), 1);
    ck_assert_int_eq(kit_exif_value(exif, false, 0x100), width);
    ck_assert_int_eq(kit_exif_value(exif, false, 0x101), height);
    ck_assert_int_eq(kit_exif_value(exif, true, 0xa002), width);
    ck_assert_int_eq(kit_exif_value(exif, true, 0xa003), height);
    ck_assert_msg(!memmem(exif->data, exif->size, "TTTT", 4), "the thumbnail is still there");
}

const char kit_xmp[] = "<?xpacket begin=\"\"?><x:xmpmeta><rdf:Description tiff:Orientation=\"6\" "
                       "exif:PixelXDimension='31'><exif:PixelYDimension>17</exif:PixelYDimension>"
                       "<x:other>17</x:other></rdf:Description></x:xmpmeta><?xpacket end=\"w\"?>";

void kit_settled_xmp(const tt_blob *xmp, int o)
{
    const char *const says[] = {o == 1 ? "tion=\"6\"" : "tion=\"1\"", o > 4 ? "='17'" : "='31'",
                                o > 4 ? "n>31<" : "n>17<", "<x:other>17</x:other>"};
    ck_assert_uint_eq(xmp->size, sizeof kit_xmp - 1); /* no number became longer */
    for (size_t i = 0; i < sizeof says / sizeof *says; i++)
        ck_assert_msg(memmem(xmp->data, xmp->size, says[i], strlen(says[i])) != NULL, "orientation %d: no %s", o, says[i]);
}

void kit_same_blob(const tt_blob *want, const tt_blob *got, const char *what)
{
    ck_assert_msg(want->size == got->size && (!want->size || !memcmp(want->data, got->data, want->size)), "%s: %zu bytes for %zu",
                  what, got->size, want->size);
}

/* A copy that ends where its memory ends, so that a sanitizer or valgrind sees any reading past it. */
static tt_status try(const unsigned char *bytes, size_t n, bool salvage, tt_image *img)
{
    const tt_image_limits limits = {.max_pixels = 1 << 14, .salvage = salvage};
    tt_error err = {0};
    unsigned char *copy = malloc(n ? n : 1);
    memcpy(copy, bytes, n);
    const tt_status st = tt_image_read_memory(img, copy, n, "file", &limits, &err);
    free(copy);
    if (!st != !err.text[0] || (st && (img->samples || img->exif.data || img->icc.data)))
        ck_abort_msg("status %d with \"%s\"", st, err.text);
    return st;
}

/* A PNG whose chunks all check, so that changes reach what lies behind the check. */
static void mend_png(unsigned char *p, size_t size)
{
    if (size < 8 || memcmp(p, "\x89PNG", 4))
        return;
    for (size_t at = 8; size - at >= 12;) {
        const size_t n = (size_t)p[at] << 24 | (size_t)p[at + 1] << 16 | (size_t)p[at + 2] << 8 | p[at + 3];
        if (n > size - at - 12)
            return;
        uint32_t crc = 0xffffffff;
        for (size_t i = at + 4; i < at + 8 + n; i++) {
            crc ^= p[i];
            for (int k = 0; k < 8; k++)
                crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
        }
        crc = ~crc;
        for (int i = 0; i < 4; i++)
            p[at + 8 + n + (size_t)i] = (unsigned char)(crc >> 8 * (3 - i));
        at += 12 + n;
    }
}

void kit_hostile(const tt_blob *file, int changes)
{
    tt_image img;
    for (size_t n = 0; n < file->size; n++) {
        if (try(file->data, n, false, &img) != TT_ERR_FORMAT)
            ck_abort_msg("the first %zu of %zu bytes are a picture", n, file->size);
        if (!try(file->data, n, true, &img))
            tt_image_clear(&img);
    }
    unsigned char *bytes = malloc(file->size);
    memcpy(bytes, file->data, file->size);
    for (size_t bit = 0; bit < 8 * 256 && bit / 8 < file->size; bit++) {
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        for (int salvage = 0; salvage < 2; salvage++)
            if (!try(bytes, file->size, salvage, &img))
                tt_image_clear(&img);
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    uint64_t state = 1;
    for (int i = 0; i < changes; i++) {
        memcpy(bytes, file->data, file->size);
        for (uint32_t k = next_random(&state) % 4 + 1; k; k--)
            bytes[next_random(&state) % file->size] = (unsigned char)next_random(&state);
        if (i & 2)
            mend_png(bytes, file->size);
        if (!try(bytes, file->size, i & 1, &img))
            tt_image_clear(&img);
    }
    free(bytes);
}
