// orbitalreg-limit: what the machine gives to whoever does the least that a verifying registry must do, one thread a connection.
//
// A push is received, hashed (sha256), summed (XXH3 of each 64 KiB) and written with O_DIRECT in pieces of 256 KiB, then synced.
// A pull is read (through the page cache; with --direct past it), each sum compared, and sent. There is no registry in it: no
// catalog, no log, no rights, no time-outs; what was pushed is known until it ends. It speaks just enough HTTP for orbitalreg-load:
// POST, PUT and GET of blobs, PUT and GET of manifests (from memory).

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
#include <xxhash.h>

enum { kPiece = 256 * 1024, kChunk = 64 * 1024, kHead = 16 * 1024, kBuckets = 1 << 16 };

struct content {
    struct content* next;
    char name[512];     // a digest, or the target of a manifest
    char path[256];     // empty: in `bytes`
    uint64_t size;
    uint64_t* sums;
    unsigned char* bytes;
};

static struct content* table[kBuckets];
static pthread_mutex_t table_mutex = PTHREAD_MUTEX_INITIALIZER;
static const char* folder;
static int direct_reads;
static atomic_ulong files;

static struct content** bucket_of(const char* name) {
    return &table[XXH3_64bits(name, strlen(name)) % kBuckets];
}

static struct content* find(const char* name) {
    pthread_mutex_lock(&table_mutex);
    struct content* each = *bucket_of(name);
    while (each != NULL && strcmp(each->name, name) != 0) each = each->next;
    pthread_mutex_unlock(&table_mutex);
    return each;
}

static void keep(struct content* made) {
    pthread_mutex_lock(&table_mutex);
    struct content** bucket = bucket_of(made->name);
    made->next = *bucket;
    *bucket = made;
    pthread_mutex_unlock(&table_mutex);
}

struct connection {
    int fd;
    char head[kHead + 1];
    size_t head_size;  // of the request, its empty line included
    size_t filled;
    unsigned char* piece;
};

static int send_all(int fd, const void* bytes, size_t size) {
    const char* at = bytes;
    while (size > 0) {
        const ssize_t sent = send(fd, at, size, MSG_NOSIGNAL);
        if (sent <= 0) return 0;
        at += sent;
        size -= (size_t)sent;
    }
    return 1;
}

static int answer(struct connection* of, const char* status, const char* fields) {
    char text[1024];
    const int size = snprintf(text, sizeof text, "HTTP/1.1 %s\r\n%sContent-Length: 0\r\n\r\n", status, fields);
    return send_all(of->fd, text, (size_t)size);
}

// What of the body came with the head, then what comes.
static ssize_t receive(struct connection* of, void* to, size_t room) {
    const size_t ahead = of->filled - of->head_size;
    if (ahead == 0) return recv(of->fd, to, room, 0);
    const size_t size = ahead < room ? ahead : room;
    memcpy(to, of->head + of->head_size, size);
    memmove(of->head + of->head_size, of->head + of->head_size + size, ahead - size);
    of->filled -= size;
    return (ssize_t)size;
}

static int take_blob(struct connection* of, const char* digest, uint64_t size) {
    struct content* made = calloc(1, sizeof *made);
    snprintf(made->name, sizeof made->name, "%s", digest);
    snprintf(made->path, sizeof made->path, "%s/%lu", folder, atomic_fetch_add(&files, 1));
    made->size = size;
    made->sums = calloc(size / kChunk + 1, sizeof *made->sums);
    const int file = open(made->path, O_CREAT | O_RDWR | O_CLOEXEC | O_DIRECT, 0600);
    EVP_MD_CTX* hash = EVP_MD_CTX_new();
    EVP_DigestInit_ex(hash, EVP_sha256(), NULL);
    uint64_t done = 0;
    int good = file >= 0;
    while (good && done < size) {
        const uint64_t left = size - done;
        const size_t wanted = left < kPiece ? (size_t)left : kPiece;
        size_t filled = 0;
        while (filled < wanted) {
            const ssize_t got = receive(of, of->piece + filled, wanted - filled);
            if (got <= 0) break;
            filled += (size_t)got;
        }
        if (filled < wanted) good = 0;
        EVP_DigestUpdate(hash, of->piece, filled);
        for (size_t at = 0; at < filled; at += kChunk) {
            const size_t length = filled - at < kChunk ? filled - at : kChunk;
            made->sums[(done + at) / kChunk] = XXH3_64bits(of->piece + at, length);
        }
        const size_t padded = (filled + 4095) / 4096 * 4096;
        memset(of->piece + filled, 0, padded - filled);
        if (pwrite(file, of->piece, padded, (off_t)done) != (ssize_t)padded) good = 0;
        done += filled;
    }
    unsigned char found[EVP_MAX_MD_SIZE];
    unsigned int found_size = 0;
    EVP_DigestFinal_ex(hash, found, &found_size);
    EVP_MD_CTX_free(hash);
    char text[80] = "sha256:";
    for (unsigned i = 0; i < found_size && i < 32; ++i) snprintf(text + 7 + 2 * i, 3, "%02x", found[i]);
    if (file >= 0) {
        good = good && fdatasync(file) == 0;
        close(file);
    }
    if (!good) return 0;
    if (strcmp(text, digest) != 0) return answer(of, "400 Bad Request", "");
    keep(made);
    return answer(of, "201 Created", "");
}

static int give_blob(struct connection* of, const struct content* blob) {
    const int file = open(blob->path, O_RDONLY | O_CLOEXEC | (direct_reads ? O_DIRECT : 0));
    if (file < 0) return 0;
    char head[256];
    const int size = snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %llu\r\n\r\n",
                              (unsigned long long)blob->size);
    int good = send_all(of->fd, head, (size_t)size);
    for (uint64_t done = 0; good && done < blob->size;) {
        const ssize_t got = pread(file, of->piece, kPiece, (off_t)done);
        const uint64_t left = blob->size - done;
        const size_t length = (uint64_t)(got < 0 ? 0 : got) < left ? (size_t)(got < 0 ? 0 : got) : (size_t)left;
        if (length == 0) good = 0;
        for (size_t at = 0; good && at < length; at += kChunk) {
            const size_t part = length - at < kChunk ? length - at : kChunk;
            if (XXH3_64bits(of->piece + at, part) != blob->sums[(done + at) / kChunk]) good = 0;
        }
        good = good && send_all(of->fd, of->piece, length);
        done += length;
    }
    close(file);
    return good;
}

static int take_manifest(struct connection* of, const char* target, uint64_t size) {
    struct content* made = calloc(1, sizeof *made);
    snprintf(made->name, sizeof made->name, "%s", target);
    made->size = size;
    made->bytes = malloc(size + 1);
    for (uint64_t filled = 0; filled < size;) {
        const ssize_t got = receive(of, made->bytes + filled, size - filled);
        if (got <= 0) return 0;
        filled += (uint64_t)got;
    }
    keep(made);
    return answer(of, "201 Created", "");
}

static int give_manifest(struct connection* of, const struct content* manifest) {
    char head[256];
    const int size = snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.oci.image.manifest.v1+json\r\nContent-Length: %llu\r\n\r\n",
                              (unsigned long long)manifest->size);
    struct iovec parts[2] = {{head, (size_t)size}, {manifest->bytes, manifest->size}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    return sendmsg(of->fd, &message, MSG_NOSIGNAL) == (ssize_t)((uint64_t)size + manifest->size);
}

static int serve_request(struct connection* of) {
    of->head[of->head_size - 1] = '\0';
    char method[16], target[512];
    if (sscanf(of->head, "%15s %511s", method, target) != 2) return 0;
    const char* length = strcasestr(of->head, "\r\nContent-Length:");
    const uint64_t size = length == NULL ? 0 : strtoull(length + 17, NULL, 10);
    if (strcmp(method, "POST") == 0) return answer(of, "202 Accepted", "Location: /put\r\n");
    const char* digest = strstr(target, "digest=");
    if (strcmp(method, "PUT") == 0) return digest != NULL ? take_blob(of, digest + 7, size) : take_manifest(of, target, size);
    if (strcmp(method, "GET") != 0) return answer(of, "405 Method Not Allowed", "");
    const char* blob = strstr(target, "/blobs/");
    const struct content* found = find(blob != NULL ? blob + 7 : target);
    if (found == NULL) return answer(of, "404 Not Found", "");
    return found->path[0] != '\0' ? give_blob(of, found) : give_manifest(of, found);
}

static void* serve(void* argument) {
    struct connection* of = argument;
    const int on = 1;
    setsockopt(of->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (posix_memalign((void**)&of->piece, 4096, kPiece + 4096) != 0) return NULL;
    for (int good = 1; good;) {
        char* end = NULL;
        of->head[of->filled] = '\0';
        while ((end = of->filled == 0 ? NULL : memmem(of->head, of->filled, "\r\n\r\n", 4)) == NULL) {
            const ssize_t got = of->filled == kHead ? 0 : recv(of->fd, of->head + of->filled, kHead - of->filled, 0);
            if (got <= 0) goto out;
            of->filled += (size_t)got;
        }
        of->head_size = (size_t)(end - of->head) + 4;
        good = serve_request(of);
        memmove(of->head, of->head + of->head_size, of->filled - of->head_size);
        of->filled -= of->head_size;
    }
out:
    close(of->fd);
    free(of->piece);
    free(of);
    return NULL;
}

int main(int argc, char** argv) {
    if (argc < 3) {
        fprintf(stderr, "orbitalreg-limit PORT DIRECTORY [--direct]\n"
                        "The least that a verifying registry must do, as a limit to compare with; serves 127.0.0.1:PORT.\n");
        return 2;
    }
    folder = argv[2];
    direct_reads = argc > 3 && strcmp(argv[3], "--direct") == 0;
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1])), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    if (bind(listener, (struct sockaddr*)&address, sizeof address) != 0 || listen(listener, 512) != 0) {
        perror("orbitalreg-limit");
        return 3;
    }
    for (;;) {
        struct connection* of = calloc(1, sizeof *of);
        of->fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        pthread_t thread;
        if (of->fd < 0 || pthread_create(&thread, NULL, serve, of) != 0) {
            free(of);
            continue;
        }
        pthread_detach(thread);
    }
}
