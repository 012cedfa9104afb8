/* What may be asked: the commands, the options, and how a command line becomes a tt_args. */
#define _GNU_SOURCE /* getopt_long */
#include "src/cli.h"

#include "engine/status.h"
#include "kernels/cpu.h"
#include "src/registry.h"

#include <ctype.h>
#include <getopt.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- the commands --------------------------------------------------------------------------------- */

const tt_command tt_commands[] = {
    {"upscale", TT_CMD_UPSCALE, "INPUT... [-o OUTPUT]", 1, -1,
     "enlarge and clean pictures with a neural network",
     "tintype upscale scan.jpg\twrites scan_x2.jpg beside it\n"
     "tintype upscale -s 3 scan.jpg -o large.png\tthree times as large, as PNG\n"
     "tintype upscale --size 3000x scan.jpg -o print.png\t3000 pixels wide\n"
     "tintype upscale -m esrgan.safetensors scan.jpg -o large.png\twith a network of your own\n"
     "tintype upscale -r album -o large/ --skip-existing\ta whole tree, and only what is new\n"
     "tintype upscale a.png b.png -o 'out/{stem}-large.{ext}'\tnames by a pattern\n"
     "tintype upscale - -o - <in.jpg >out.png\tin a pipe\n",
     "INPUT is a PNG or JPEG file (the content decides, not the name), '-' for standard input, or with -r "
     "a directory. Files in a directory that are no pictures are passed over, and so is what is hidden.\n\n"
     "OUTPUT is a file, a directory (it exists, or ends in '/', or an INPUT is one), '-' for standard "
     "output, or a pattern with {stem} (the input's name without its ending), {ext}, {scale}, and with "
     "--size {size}. In directories, and beside the input where OUTPUT is missing, the pattern is "
     "{stem}_x{scale}.{ext}. {ext} is the input's own ending unless --format says otherwise. Standard "
     "input goes to standard output, as PNG, where OUTPUT is missing.\n\n"
     "No existing file is touched without --overwrite. A result appears whole or not at all. Depth, grey, "
     "alpha, colour profile, EXIF, XMP and resolution of the input are kept. One bad file does not stop "
     "the others.\n\n"
     "Pictures are read and written row by row, so that memory grows with their width alone; those larger than 8 MiB are "
     "decoded twice, first to see that they are sound. Interlaced PNGs, pictures that EXIF turns, holes in alpha and "
     "factors that take the network more than once need more; --dry-run says how much.",
     tt_cmd_upscale},
    {"denoise", TT_CMD_DENOISE, "INPUT... -m FILE [-o OUTPUT]", 1, -1,
     "take noise and JPEG traces out of pictures, at their size",
     "tintype denoise -m 005_colorDN_noise25.safetensors scan.jpg\twrites scan_clean.jpg beside it\n"
     "tintype denoise -m 006_colorCAR_jpeg40.safetensors web.jpg -o web.png\tJPEG traces, into a PNG\n"
     "tintype denoise -m net.safetensors -r album -o clean/ --skip-existing\ta whole tree, and only what is new\n"
     "tintype denoise -m net.safetensors - -o - <in.png >out.png\tin a pipe\n",
     "Any network of scale 1 will do: SwinIR for noise or JPEG, waifu2x and RRDBNet of scale 1. One that enlarges is "
     "refused; upscale is for those.\n\n"
     "INPUT and OUTPUT are as with upscale, but for the usual name, {stem}_clean.{ext}, and {scale} and {size}, which "
     "there are not.\n\n"
     "A network of one plane cleans colour pictures too. A denoiser of SwinIR (trained on grey pictures) takes red, green "
     "and blue one after the other, for each has noise of its own; a JPEG network of SwinIR takes luma as MATLAB "
     "reckons it, and chroma stays as it is; any other takes luma. Grey pictures stay grey.\n\n"
     "No existing file is touched without --overwrite. A result appears whole or not at all. Depth, alpha, colour "
     "profile, EXIF, XMP and resolution of the input are kept. One bad file does not stop the others.",
     tt_cmd_upscale},
    {"colorize", TT_CMD_COLORIZE, "-m FILE INPUT... [-o OUTPUT]", 0, -1,
     "colour black-and-white pictures and films with DeOldify's networks",
     "tintype colorize -m artistic.pth old.jpg\twrites old_colour.jpg beside it\n"
     "tintype colorize -m artistic.pth --render 20 old.jpg -o new.png\tquicker and more vivid\n"
     "tintype colorize -m artistic.pth --render 10,20,35 --contact-sheet sheet.png old.jpg\tto choose from\n"
     "tintype colorize -m stable.pth -r album -o colour/ --skip-existing\ta whole tree\n"
     "tintype colorize -m video.pth --frames in/ -o out/\tpictures of a film, names kept\n"
     "tintype colorize -m video.pth --y4m - -o - <old.y4m >new.y4m\ta film, between two ffmpeg\n",
     "INPUT and OUTPUT are as for tintype upscale; the pattern is {stem}_colour.{ext}, and {render} stands for the "
     "render factor. The luma of the picture stays, at full size and with all its bits; its own colours, if it has "
     "any, go. Depth, alpha, colour profile and metadata are kept; a grey picture becomes RGB.\n\n"
     "The network sees the picture as a square of 16 times the render factor. Low factors are quicker, more vivid and "
     "often better for poor originals, high ones steadier and a little paler; 7 to 45 make sense. With several of "
     "them each is written under a name with _r and its number; with --contact-sheet OUTPUT may be one file, which "
     "gets the last.\n\n"
     "With --y4m INPUT and OUTPUT are YUV4MPEG2 streams of 8 bits, 4:2:0, 4:2:2, 4:4:4 or mono (which becomes "
     "4:4:4), as ffmpeg writes and reads them. Y stays byte for byte, U and V are new (BT.601). Frames are coloured "
     "one by one. Of a stream that is cut short the whole frames are written.",
     tt_cmd_colorize},
    {"compare", TT_CMD_COMPARE, "A B", 2, 2, "measure how alike two pictures are (PSNR, SSIM)",
     "tintype compare truth.png result.png\ton luma, as the papers do\n"
     "tintype compare --rgb --border 4 truth.png result.png\ton all channels, without the rim\n"
     "tintype compare before.jpg after.png -o side.png\tboth side by side in one picture\n",
     "PSNR in dB and SSIM (Wang et al. 2004: 11 x 11 Gaussian, sigma 1.5). Pictures of different sizes "
     "cannot be measured; with -o they are still set side by side, the smaller one enlarged.",
     tt_cmd_compare},
    {"info", TT_CMD_INFO, "FILE...|--devices", 0, -1, "describe pictures, weight files and devices",
     "tintype info scan.jpg\tsize, depth, colours, profile, metadata\n"
     "tintype info esrgan.safetensors\tnetwork, factor, parameters\n"
     "tintype info --plan --size 640x480 default\tevery step for that input, its memory and work\n"
     "tintype info --devices\tthe GPUs that can compute, tested\n"
     "tintype info --json *.jpg\tfor machines, one object a line\n",
     "FILE is a picture, a weight file, '-' for a picture from standard input, or 'default' for the "
     "network inside the program.",
     tt_cmd_info},
    {"run", TT_CMD_RUN, "IN OUT", 2, 2, "put a raw tensor through a network",
     "tintype run -m srcnn.safetensors in.safetensors out.safetensors\n"
     "tintype run --net padding=zero -m srcnn.safetensors in.safetensors out.safetensors\n",
     "IN is a safetensors file with a tensor 'input' (or 'in'), or with one tensor only, of shape [C,H,W] or "
     "[1,C,H,W]. OUT gets the tensor 'output' of the same rank: what the published network gives, without "
     "tiles, resampling or clamping.",
     tt_cmd_run},
    {"convert", TT_CMD_CONVERT, "FILE -o OUT", 1, 1, "turn a weight file into safetensors",
     "tintype convert RealESRGAN_x4plus.pth -o x4plus.safetensors\n"
     "tintype convert --dtype f16 esrgan.safetensors -o half.safetensors\thalf the size\n"
     "tintype convert --net padding=replicate srcnn.pth -o srcnn.safetensors\twith what its tensors do not say\n",
     "Not needed to use a file: every command takes it as it is. OUT holds the tensors that the network computes "
     "with, under the names of the published state dict, and says in its metadata what network it is, its scale, "
     "and the name and SHA-256 of the file it was made from. The same file gives the same bytes. Without --dtype "
     "each tensor keeps its type, doubles become f32.",
     tt_cmd_convert},
    {"models", TT_CMD_MODELS, "COMMAND ...", 0, 0, "find, fetch and check official weight files",
     "tintype models list --for photo\twhat there is for photographs\n"
     "tintype models fetch RealESRGAN_x4plus\tget it, checked\n"
     "tintype upscale -m RealESRGAN_x4plus scan.jpg\tuse it by its name\n",
     "A weight file is called by its path or, where it lies in one of the directories of `tintype models "
     "path`, by its name with or without ending. Nothing is ever fetched but by `tintype models fetch`.",
     NULL},
    {"models list", TT_CMD_MODELS_LIST, "", 0, 0, "list the official weight files that are known",
     "tintype models list\n"
     "tintype models list --for anime --license commercial\tonly some\n"
     "tintype models list --installed\twhat is on this machine\n"
     "tintype models list --json\twith size, SHA-256, address\n",
     "A star marks files in the directories of `tintype models path`; they are told by name and size, not "
     "read. On a terminal columns that do not fit are left out. What the authors do not state, tintype does "
     "not guess.",
     tt_cmd_models_list},
    {"models info", TT_CMD_MODELS_INFO, "NAME|FILE...", 1, -1, "tell all that is known of a weight file",
     "tintype models info RealESRGAN_x4plus\tlicence, size, where it comes from\n"
     "tintype models info weights.pth\tthe network in it, and whether it is an official file\n",
     "A file is known by its SHA-256, whatever it is called.", tt_cmd_models_info},
    {"models fetch", TT_CMD_MODELS_FETCH, "NAME...", 1, -1, "fetch official weight files from the network",
     "tintype models fetch RealESRGAN_x4plus realesr-general-x4v3\n"
     "tintype models fetch --mirror https://mirror.example/weights RealESRGAN_x4plus\n"
     "tintype models fetch --url https://example.org/my.pth --sha256 HEX my.pth\tany other file\n",
     "Files go into the first directory of `tintype models path` that can be written. Only https is used, and "
     "http to this machine itself or, for files whose SHA-256 is known, to a --mirror. Size and SHA-256 are "
     "checked before a file appears. A fetch that was cut goes on where it ended when it is started again. A "
     "file that is there and right is not fetched again. NAME without ending stands for all files called so.",
     tt_cmd_models_fetch},
    {"models verify", TT_CMD_MODELS_VERIFY, "FILE...", 1, -1, "check weight files against the official ones",
     "tintype models verify ~/Downloads/*.pth\n"
     "tintype models verify --sha256 HEX my.pth\tagainst a sum of your own\n",
     "Says which official file each is, and which network it opens as. A file that is no official one is not "
     "wrong; one that has the name of an official one and other contents is.",
     tt_cmd_models_verify},
    {"models path", TT_CMD_MODELS_PATH, "", 0, 0, "print the directories that are searched for weight files",
     "tintype models path\none a line, first searched first\n",
     "TINTYPE_MODELS in the environment puts others before the usual ones, with colons between them.",
     tt_cmd_models_path},
    {"bench", TT_CMD_BENCH, "", 0, 0, "measure the speed of this machine",
     "tintype bench\teverything, a few minutes\n"
     "tintype bench --only conv3x3\tcases with that in their name\n"
     "tintype bench --isa all --json\tevery instruction set, for machines\n"
     "tintype bench -m FILE --size 640x480\tthe steps of a network\n"
     "tintype bench -m FILE --device gpu\tits kernels on a device, with what holds them up\n"
     "tintype bench --tune --device gpu\tfind out how kernels are best cut for it, once\n"
     "tintype bench --kernel conv3x3 --isa avx2 --seconds 5\tone kernel steadily, for perf\n",
     "Times are medians; shares are of the peak that the processor showed in the same seconds. With --kernel one thread "
     "runs one case and reads the clock, twenty times a second; its rate is printed at the end.",
     tt_cmd_bench},
    {"help", TT_CMD_HELP, "[COMMAND]", 0, 2, "explain a command",
     "tintype help upscale\n"
     "tintype help --man >tintype.1\tthe manual page\n",
     "", tt_cmd_help},
    {"version", TT_CMD_VERSION, "", 0, 0, "print versions, libraries and licence",
     "tintype version\n"
     "tintype version --json\n",
     "", tt_cmd_version},
    {"completion", TT_CMD_COMPLETION, "bash|zsh", 1, 1, "print the completion script of a shell",
     "tintype completion bash >~/.local/share/bash-completion/completions/tintype\n"
     "tintype completion zsh >_tintype\tin a directory of $fpath\n",
     "", tt_cmd_completion},
    {0}};

/* ---- the options ---------------------------------------------------------------------------------- */

enum {
    ENLARGERS = TT_CMD_UPSCALE | TT_CMD_DENOISE,
    MAKERS = ENLARGERS | TT_CMD_COLORIZE,
    NETWORK = MAKERS | TT_CMD_INFO | TT_CMD_RUN | TT_CMD_BENCH,
    WEIGHTS = NETWORK | TT_CMD_CONVERT,
    PICTURES = MAKERS | TT_CMD_COMPARE | TT_CMD_INFO,
    MACHINES = TT_CMD_ALL & ~(TT_CMD_HELP | TT_CMD_COMPLETION | TT_CMD_MODELS),
    SUMS = TT_CMD_MODELS_FETCH | TT_CMD_MODELS_VERIFY,
};

/* Name, letter, kind, what follows it, commands, field of tt_args. In the order of `tintype help`. */
#define OPT(name_, letter_, kind_, argument_, commands_, field_, ...)                                        \
    {                                                                                                        \
        .name = name_, .letter = letter_, .kind = TT_OPT_##kind_, .argument = argument_,                     \
        .commands = commands_, .field = offsetof(tt_args, field_), __VA_ARGS__                               \
    }

const tt_option tt_options[] = {
    OPT("output", 'o', FILE, "PATH", MAKERS, output,
        .help = "a file, a directory, '-' for standard output, or a pattern"),
    OPT("output", 'o', FILE, "FILE", TT_CMD_COMPARE, output, .help = "write both pictures side by side"),
    OPT("output", 'o', FILE, "FILE", TT_CMD_CONVERT, output, .help = "the file to write; '-' for standard output"),
    OPT("dtype", 0, WORD, "TYPE", TT_CMD_CONVERT, dtype, .words = "f32 f16 bf16",
        .help = "round all values to this type; each tensor keeps its own if missing"),
    OPT("model", 'm', FILE, "FILE|NAME", MAKERS | TT_CMD_RUN, model,
        .help = "the weight file, or the name of one in `tintype models path`; 'default' is the network inside "
                "the program"),
    OPT("model", 'm', FILE, "FILE|NAME", TT_CMD_BENCH, model, .help = "the steps of this network instead"),
    OPT("for", 0, WORD, "USE", TT_CMD_MODELS_LIST, use, .words = TT_USES,
        .help = "files for photo, anime, denoise, jpeg, colour, scratches or faces"),
    OPT("license", 0, WORD, "WHICH", TT_CMD_MODELS_LIST, licence, .words = "commercial noncommercial unstated",
        .help = "files that may be used commercially (commercial), may not (noncommercial), or for which nobody "
                "says (unstated)"),
    OPT("installed", 0, FLAG, NULL, TT_CMD_MODELS_LIST, installed, .help = "files that are on this machine"),
    OPT("mirror", 0, TEXT, "URL", TT_CMD_MODELS_FETCH, mirror, .env = "TINTYPE_MIRROR",
        .help = "fetch URL/NAME instead of the official address"),
    OPT("url", 0, TEXT, "URL", TT_CMD_MODELS_FETCH, url, .help = "fetch this, mirror or not, and call it NAME"),
    OPT("sha256", 0, TEXT, "HEX", SUMS, sha256, .help = "the SHA-256 that the file must have"),
    OPT("tries", 0, INT, "N", TT_CMD_MODELS_FETCH, tries, .lo = 1, .hi = 100,
        .help = "give up after N broken connections; 5 if missing"),
    OPT("timeout", 0, REAL, "S", TT_CMD_MODELS_FETCH, timeout, .lo = 1, .hi = 3600,
        .help = "a connection is broken when nothing comes for S seconds; 60 if missing"),
    OPT("net", 0, LIST, "KEY=VALUE", WEIGHTS | TT_CMD_MODELS_INFO, net,
        .help = "tell the network what its weight file does not say; may stand several times"),
    OPT("scale", 's', REAL, "FACTOR", TT_CMD_UPSCALE, scale, .lo = 0.01, .hi = 1000,
        .help = "any factor, 1.5 say; the network's own if missing, the rest is resampled"),
    OPT("size", 0, SIZE, "WxH", TT_CMD_UPSCALE, size,
        .help = "the size in pixels instead of a factor; Wx or xH: the other by the picture's shape"),
    OPT("size", 0, SIZE, "WxH", TT_CMD_INFO | TT_CMD_BENCH, size,
        .help = "the input's size in pixels for --plan, or with --model; 256x256 if missing"),
    OPT("render", 0, TEXT, "N[,N...]", TT_CMD_COLORIZE, render,
        .help = "the render factor, 1 to 128, or several; 35 if missing, 21 for weights whose name says video"),
    OPT("contact-sheet", 0, FILE, "FILE", TT_CMD_COLORIZE, contact_sheet,
        .help = "a picture of the input and all render factors side by side, for one INPUT"),
    OPT("frames", 0, FILE, "DIR", TT_CMD_COLORIZE, frames,
        .help = "colour all pictures in DIR, in the order of their names, which are kept"),
    OPT("y4m", 0, FLAG, NULL, TT_CMD_COLORIZE, y4m, .help = "INPUT and OUTPUT are YUV4MPEG2 streams"),
    OPT("tta", 'x', FLAG, NULL, ENLARGERS, tta,
        .help = "mean of 8 turned and mirrored runs: a little better, 8 times as slow"),
    OPT("recursive", 'r', FLAG, NULL, MAKERS, recursive,
        .help = "take the pictures in directories; the tree is kept below OUTPUT"),
    OPT("format", 'f', WORD, "FORMAT", MAKERS, format, .words = "png jpeg",
        .help = "png or jpeg; by OUTPUT's ending if missing"),
    OPT("quality", 0, INT, "N", MAKERS, quality, .lo = 1, .hi = 100,
        .help = "of JPEG, 1 to 100; 95 if missing"),
    OPT("depth", 0, WORD, "BITS", MAKERS, depth, .words = "auto 8 16",
        .help = "8 or 16 bits a sample; auto, the usual, keeps the input's"),
    OPT("icc", 0, WORD, "HOW", MAKERS, icc, .words = "keep srgb",
        .help = "keep the colour profile, the usual, or convert to sRGB"),
    OPT("overwrite", 0, FLAG, NULL, MAKERS | TT_CMD_COMPARE | TT_CMD_RUN | TT_CMD_CONVERT, overwrite,
        .help = "replace an existing file, the input itself even"),
    OPT("overwrite", 0, FLAG, NULL, TT_CMD_MODELS_FETCH, overwrite,
        .help = "replace a file of that name which is another"),
    OPT("skip-existing", 0, FLAG, NULL, MAKERS, skip_existing,
        .help = "pass over inputs whose output exists"),
    OPT("dry-run", 0, FLAG, NULL, MAKERS, dry_run,
        .help = "say what would be written, in how many tiles and how much memory, and write nothing"),
    OPT("salvage", 0, FLAG, NULL, PICTURES, salvage,
        .help = "take what a damaged file still holds instead of refusing it"),
    OPT("max-pixels", 0, COUNT, "N", PICTURES, max_pixels, .lo = 1, .hi = 1e15,
        .help = "refuse larger inputs; K, M and G may follow the number; 1G if missing"),
    OPT("fail-fast", 0, FLAG, NULL, MAKERS, fail_fast, .help = "stop at the first input that fails"),
    OPT("luma", 0, FLAG, NULL, TT_CMD_COMPARE, luma, .help = "measure Y of BT.601; the usual"),
    OPT("rgb", 0, FLAG, NULL, TT_CMD_COMPARE, rgb, .help = "measure all colour channels"),
    OPT("border", 0, INT, "N", TT_CMD_COMPARE, border, .lo = 0, .hi = 1e6,
        .help = "cut N pixels from each side first"),
    OPT("plan", 0, FLAG, NULL, TT_CMD_INFO, plan,
        .help = "print the steps of the network for an input of --size"),
    OPT("only", 0, TEXT, "NAME", TT_CMD_BENCH, only, .help = "cases whose name contains NAME"),
    OPT("kernel", 0, TEXT, "NAME", TT_CMD_BENCH, kernel,
        .help = "run the first kernel whose name begins with NAME, and nothing else: for profilers"),
    OPT("isa", 0, WORD, "LEVEL", TT_CMD_BENCH, isa, .words = TT_CPU_WORDS " all",
        .help = "the instruction set; the best there is if missing"),
    OPT("seconds", 0, REAL, "S", TT_CMD_BENCH, seconds, .lo = 0.001, .hi = 3600,
        .help = "for each case; 1 if missing"),
    OPT("threads", 't', INT, "N", NETWORK, threads, .lo = 1, .hi = 1024,
        .env = "TINTYPE_THREADS", .help = "all processors if missing"),
    OPT("memory", 0, BYTES, "SIZE", MAKERS | TT_CMD_RUN, memory, .lo = 1 << 20, .hi = 1e18,
        .env = "TINTYPE_MEMORY",
        .help = "memory to work in, 2G or 500M say; 60 % of the machine's if missing"),
    OPT("device", 0, TEXT, "DEVICE", MAKERS | TT_CMD_RUN, device, .env = "TINTYPE_DEVICE",
        .help = "what computes: auto (a GPU with OpenCL where there is one, else the processor), cpu, gpu, a part of a "
                "device's name, or its number, opencl:0.1 say; auto if missing"),
    OPT("device", 0, TEXT, "DEVICE", TT_CMD_BENCH, device, .help = "with --model: its kernels on this device"),
    OPT("tune", 0, FLAG, NULL, TT_CMD_BENCH, tune,
        .help = "try how kernels are best cut for --device, and keep that for all later runs"),
    OPT("fallback", 0, WORD, "WHAT", MAKERS | TT_CMD_RUN, fallback, .words = "cpu none",
        .help = "what the device cannot do is done by the processor, and said (cpu, the usual), or fails (none)"),
    OPT("device-memory", 0, BYTES, "SIZE", MAKERS | TT_CMD_RUN, device_memory, .lo = 1 << 20, .hi = 1e18,
        .env = "TINTYPE_DEVICE_MEMORY", .help = "memory of the device to work in; nearly all of its own if missing"),
    OPT("precision", 0, WORD, "WHAT", MAKERS | TT_CMD_RUN, precision, .words = "fp32 fp16", .env = "TINTYPE_PRECISION",
        .help = "what a device keeps between layers: floats of 32 bits (fp32, the usual), or of 16 (fp16: half the memory, "
                "larger tiles; levels of 255 may be off by one, seldom by two)"),
    OPT("precision", 0, WORD, "WHAT", TT_CMD_BENCH, precision, .words = "fp32 fp16",
        .help = "with --device: maps of 32 bits, the usual, or of 16"),
    OPT("devices", 0, FLAG, NULL, TT_CMD_INFO, devices,
        .help = "list the OpenCL devices of this machine, each tested kernel by kernel"),
    OPT("man", 0, FLAG, NULL, TT_CMD_HELP, man, .help = "print the manual page"),
    OPT("json", 0, FLAG, NULL, MACHINES, json,
        .help = "results for machines on standard output, one JSON object a line"),
    OPT("quiet", 'q', FLAG, NULL, MAKERS | TT_CMD_COMPARE | TT_CMD_RUN | TT_CMD_CONVERT | SUMS, quiet,
        .help = "say nothing but what went wrong"),
    OPT("verbose", 'v', FLAG, NULL, MAKERS | TT_CMD_RUN, verbose, .help = "say more"),
    OPT("help", 'h', FLAG, NULL, TT_CMD_ALL, help, .help = "explain the command"),
    {0}};

/* ---- names that are nearly right ------------------------------------------------------------------ */

/* Levenshtein's distance, with swapped neighbours counting one; 99 for what is too long to matter. */
static int distance(const char *a, const char *b)
{
    enum { MOST = 24 };
    int d[MOST + 1][MOST + 1];
    const size_t n = strlen(a), m = strlen(b);
    if (n > MOST || m > MOST)
        return 99;
    for (size_t i = 0; i <= n; i++) {
        for (size_t j = 0; j <= m; j++) {
            int best;
            if (!i || !j) {
                d[i][j] = (int)(i + j);
                continue;
            }
            best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            best = d[i - 1][j] + 1 < best ? d[i - 1][j] + 1 : best;
            best = d[i][j - 1] + 1 < best ? d[i][j - 1] + 1 : best;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && d[i - 2][j - 2] + 1 < best)
                best = d[i - 2][j - 2] + 1;
            d[i][j] = best;
        }
    }
    return d[n][m];
}

/* How far `word` is from `name`: a beginning of it is near. */
static int far_from(const char *word, const char *name)
{
    const size_t n = strlen(word);
    if (n >= 2 && !strncmp(word, name, n))
        return 0;
    const int d = distance(word, name);
    return d <= (n < 5 ? 1 : 2) ? d : 99;
}

const tt_command *tt_command_find(const char *name)
{
    for (const tt_command *c = tt_commands; c->name; c++)
        if (!strcmp(c->name, name))
            return c;
    return NULL;
}

const char *tt_command_near(const char *word)
{
    const char *near = NULL;
    int best = 99;
    for (const tt_command *c = tt_commands; c->name; c++) {
        const int d = far_from(word, c->name);
        if (d < best) {
            best = d;
            near = c->name;
        }
    }
    return near;
}

static const char *option_near(const char *word, unsigned bit)
{
    const char *near = NULL;
    int best = 99;
    for (const tt_option *o = tt_options; o->name; o++) {
        const int d = o->commands & bit ? far_from(word, o->name) : 99;
        if (d < best) {
            best = d;
            near = o->name;
        }
    }
    return near;
}

/* ---- values --------------------------------------------------------------------------------------- */

/* Digits and at most one point, at most 15 digits that count: then value and power of ten are exact and the
 * quotient is rounded once. Gives what follows, or NULL. strtod() would read "1.5" as 1 in some locales. */
static const char *decimal(const char *p, double *value)
{
    double v = 0, power = 1;
    int digits = 0, counted = 0;
    bool point = false;
    for (;; p++) {
        if (*p == '.' && !point) {
            point = true;
            continue;
        }
        if (*p < '0' || *p > '9')
            break;
        digits++;
        if (counted || *p != '0')
            counted++;
        if (counted > 15)
            return NULL;
        v = v * 10 + (*p - '0');
        if (point)
            power *= 10;
        if (power > 1e22)
            return NULL;
    }
    *value = v / power;
    return digits ? p : NULL;
}

bool tt_number_parse(const char *text, double *value)
{
    const char *end = decimal(text, value);
    return end && !*end;
}

/* "2G", "1.5g", "512MiB": a whole number of units after rounding. */
static bool scaled(const char *text, double unit, double *value)
{
    static const char letters[] = "KMGT";
    const char *p = decimal(text, value);
    if (!p)
        return false;
    const char *at = *p ? strchr(letters, toupper((unsigned char)*p)) : NULL;
    if (at) {
        for (const char *l = letters; l <= at; l++)
            *value *= unit;
        p++;
        if (unit == 1024 && *p == 'i')
            p++;
    }
    if (unit == 1024 && *p == 'B')
        p++;
    *value = round(*value);
    return !*p;
}

static bool side(const char **p, int *value)
{
    int v = 0;
    for (; **p >= '0' && **p <= '9'; (*p)++) {
        v = v * 10 + (**p - '0');
        if (v > 1000000)
            return false;
    }
    *value = v;
    return true;
}

/* "800x600", "800x", "x600" */
static bool size(const char *text, int *w, int *h)
{
    const char *p = text;
    if (!side(&p, w) || (*w == 0 && p != text) || *p++ != 'x')
        return false;
    const char *second = p;
    return side(&p, h) && (*h > 0 || p == second) && !*p && (*w || *h);
}

bool tt_word_among(const char *words, const char *text)
{
    const size_t n = strlen(text);
    for (const char *p = words; n && *p;) {
        const size_t l = strcspn(p, " ");
        if (l == n && !memcmp(p, text, n))
            return true;
        p += l + (p[l] == ' ');
    }
    return false;
}

static tt_status append(const char ***list, const char *text, tt_error *err)
{
    size_t n = 0;
    while (*list && (*list)[n])
        n++;
    const char **more = realloc(*list, (n + 2) * sizeof *more);
    if (!more)
        return tt_fail_memory(err, (n + 2) * sizeof *more);
    more[n] = text;
    more[n + 1] = NULL;
    *list = more;
    return TT_OK;
}

/* `named` is "--threads" or "TINTYPE_THREADS": where the value stands. */
static tt_status store(tt_args *a, const tt_option *o, const char *named, const char *text, tt_error *err)
{
    char *field = (char *)a + o->field;
    double v;
    switch (o->kind) {
    case TT_OPT_FLAG:
        *(bool *)field = true;
        return TT_OK;
    case TT_OPT_TEXT:
    case TT_OPT_FILE:
        if (!*text)
            return tt_fail(err, TT_ERR_USAGE, "%s wants a %s, which is empty", named, o->argument);
        *(const char **)field = text;
        return TT_OK;
    case TT_OPT_WORD:
        if (!tt_word_among(o->words, text))
            return tt_fail(err, TT_ERR_USAGE, "%s is %s; it can be one of: %s", named, text, o->words);
        *(const char **)field = text;
        return TT_OK;
    case TT_OPT_INT:
        if (!tt_number_parse(text, &v) || v != floor(v) || v < o->lo || v > o->hi)
            return tt_fail(err, TT_ERR_USAGE, "%s is %s; a whole number from %.0f to %.0f is wanted", named,
                           text, o->lo, o->hi);
        *(int *)field = (int)v;
        return TT_OK;
    case TT_OPT_REAL:
        if (!tt_number_parse(text, &v) || v < o->lo || v > o->hi)
            return tt_fail(err, TT_ERR_USAGE, "%s is %s; a number from %g to %g is wanted", named, text,
                           o->lo, o->hi);
        *(double *)field = v;
        return TT_OK;
    case TT_OPT_BYTES:
        if (!scaled(text, 1024, &v) || v < o->lo || v > o->hi)
            return tt_fail(err, TT_ERR_USAGE,
                           "%s is %s; at least 1M is wanted, with K, M, G or T behind the number", named,
                           text);
        *(uint64_t *)field = (uint64_t)v;
        return TT_OK;
    case TT_OPT_COUNT:
        if (!scaled(text, 1000, &v) || v < o->lo || v > o->hi)
            return tt_fail(err, TT_ERR_USAGE, "%s is %s; a number is wanted, K, M, G or T may follow it",
                           named, text);
        *(uint64_t *)field = (uint64_t)v;
        return TT_OK;
    case TT_OPT_SIZE:
        if (!size(text, &a->width, &a->height))
            return tt_fail(err, TT_ERR_USAGE,
                           "%s is %s; 800x600, 800x or x600 is wanted, sides of 1 to 1000000 pixels", named,
                           text);
        a->size = text;
        return TT_OK;
    case TT_OPT_LIST:
        if (text[0] == '=' || !strchr(text, '='))
            return tt_fail(err, TT_ERR_USAGE, "%s is %s; %s is wanted", named, text, o->argument);
        return append((const char ***)field, text, err);
    }
    return tt_fail(err, TT_ERR_INTERNAL, "%s: an option of no kind", named);
}

/* ---- the command line ----------------------------------------------------------------------------- */

enum { MOST = 64, LONG = 256 }; /* long options' values begin where no letter is */

static tt_status environment(tt_args *a, tt_error *err)
{
    for (const tt_option *o = tt_options; o->name; o++) {
        const char *text = o->env && o->commands & a->command->bit ? getenv(o->env) : NULL;
        const tt_status st = text && *text ? store(a, o, o->env, text, err) : TT_OK;
        if (st)
            return st;
    }
    return TT_OK;
}

static tt_status no_such_option(const tt_command *cmd, const char *arg, tt_error *err)
{
    if (!strncmp(arg, "--", 2)) {
        char word[64];
        snprintf(word, sizeof word, "%.*s", (int)strcspn(arg + 2, "="), arg + 2);
        const char *near = option_near(word, cmd->bit);
        if (near)
            return tt_fail(err, TT_ERR_USAGE, "%s has no option %s; did you mean --%s?", cmd->name, arg,
                           near);
    }
    return tt_fail(err, TT_ERR_USAGE, "%s has no option %s", cmd->name, arg);
}

static tt_status operands(tt_args *a, int argc, char **argv, tt_error *err)
{
    const tt_command *cmd = a->command;
    a->operand = argv;
    a->operands = argc;
    if (a->help)
        return TT_OK;
    if (argc < cmd->least)
        return tt_fail(err, TT_ERR_USAGE, "%s wants %s", cmd->name, cmd->operands);
    if (cmd->most >= 0 && argc > cmd->most)
        return tt_fail(err, TT_ERR_USAGE, "%s: %s is one argument too many", cmd->name, argv[cmd->most]);
    for (int i = 0; i < argc; i++)
        if (!*argv[i])
            return tt_fail(err, TT_ERR_USAGE, "%s: an argument is empty", cmd->name);
    return TT_OK;
}

tt_status tt_args_parse(tt_args *a, const tt_command *cmd, int argc, char **argv, tt_error *err)
{
    char letters[2 * MOST + 2] = ":"; /* a missing value is told from an unknown option */
    struct option longs[MOST + 1];
    int n = 0, got;
    *a = (tt_args){.command = cmd};
    memset(longs, 0, sizeof longs);
    for (const tt_option *o = tt_options; o->name && n < MOST; o++) {
        if (!(o->commands & cmd->bit))
            continue;
        longs[n++] = (struct option){o->name, o->argument ? required_argument : no_argument, NULL,
                                     LONG + (int)(o - tt_options)};
        const size_t end = strlen(letters);
        if (o->letter)
            snprintf(letters + end, sizeof letters - end, "%c%s", o->letter, o->argument ? ":" : "");
    }
    tt_status st = environment(a, err); /* first: options go over it */
    unsetenv("POSIXLY_CORRECT"); /* options may follow the inputs, for everybody */
    opterr = 0;
    optind = 0;
    while (!st && (got = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
        const tt_option *o = NULL;
        const int what = got == ':' || got == '?' ? optopt : got;
        for (const tt_option *p = tt_options; p->name; p++)
            if (p->commands & cmd->bit && what && (what == LONG + (int)(p - tt_options) || what == p->letter))
                o = p;
        if (!o && what && what < LONG) /* a letter among several in one argument */
            return no_such_option(cmd, (char[]){'-', (char)what, 0}, err);
        if (!o)
            return no_such_option(cmd, argv[optind - 1], err);
        char named[32];
        snprintf(named, sizeof named, "--%s", o->name);
        if (got == ':')
            return tt_fail(err, TT_ERR_USAGE, "%s wants a value: %s %s", named, named, o->argument);
        if (got == '?')
            return tt_fail(err, TT_ERR_USAGE, "%s takes no value: %s", named, argv[optind - 1]);
        st = store(a, o, named, optarg, err);
    }
    return st ? st : operands(a, argc - optind, argv + optind, err);
}

void tt_args_clear(tt_args *a)
{
    free(a->net);
    free(a->resolved);
    a->net = NULL;
    a->resolved = NULL;
}
