/* src/base: bounds of the cursor, errors, buffers, hex, JSON, files, descriptors. */
#include "base/base.h"
#include "tests/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static void test_cursor(void)
{
	static const uint8_t data[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9 };
	struct cur c = cur_make(data, sizeof(data)), sub;
	uint8_t a;
	uint16_t b;
	uint32_t d;
	uint64_t q = 77;

	ok(cur_u8(&c, &a) && a == 1, "u8");
	ok(cur_le16(&c, &b) && b == 0x0302, "le16");
	ok(cur_le32(&c, &d) && d == 0x07060504, "le32");
	ok(!cur_le64(&c, &q) && q == 77 && c.n == 2, "a read past the end takes nothing");
	ok(cur_skip(&c, 2) && c.n == 0 && !cur_skip(&c, 1), "skip to the end, not beyond");
	c = cur_make(data, sizeof(data));
	ok(cur_at(&c, 8, 1, &sub) && sub.n == 1 && sub.p[0] == 9, "the last byte by offset");
	ok(cur_at(&c, 9, 0, &sub), "an empty part at the end");
	ok(!cur_at(&c, 9, 1, &sub) && !cur_at(&c, UINT64_MAX, 1, &sub) && !cur_at(&c, 1, UINT64_MAX, &sub),
	   "offsets and lengths that would wrap");
}

static void test_error(void)
{
	struct bawn_error e = { 0 };

	is_int(err_set(&e, BAWN_ERR_FORMAT, "bad %d\n", 7), BAWN_ERR_FORMAT, "returns the code");
	err_set(&e, BAWN_ERR_MEMORY, "later");
	is_int(e.code, BAWN_ERR_FORMAT, "the first cause is kept");
	is_str(e.msg, "bad 7?", "control bytes are replaced");
	err_context(&e, "file %s", "x");
	is_str(e.msg, "file x: bad 7?", "context goes in front");
	e = (struct bawn_error){ 0 };
	errno = ENOENT;
	err_sys(&e, "open");
	ok(e.sys_errno == ENOENT && e.code == BAWN_ERR_SYSTEM, "errno recorded");
	is_int(err_set(NULL, BAWN_ERR_USAGE, "x"), BAWN_ERR_USAGE, "no error struct is fine");
}

static void test_fit(void)
{
	struct bawn_error e = { 0 };
	char text[24], path[301] = "";

	text_printf(text, sizeof(text), "%s", "exactly as long as this");
	is_str(text, "exactly as long as this", "what fits is whole");
	text_printf(text, sizeof(text), "%s", "another enclave is there already");
	is_str(text, "another enclave is...", "what does not ends after a word, and says so");
	text_printf(text, sizeof(text), "%s", "a word: whichisasmuchasthereis and more");
	is_str(text, "a word: whichisasmuc...", "unless that would leave little");
	text_fit(text, sizeof(text), "the place of something", ": why");
	is_str(text, "the place of...: why", "an end is kept");
	text_fit(text, 6, "text", "an end without room");
	is_str(text, "text", "unless there is no room for more than that");
	memset(path, 'x', sizeof(path) - 1);
	errno = EACCES;
	err_sys(&e, "%s", path);
	ok(strlen(e.msg) == sizeof(e.msg) - 1 && strstr(e.msg, "xx...: Permission denied"), "why a long path fails is told");
}

static void test_buf_and_json(void)
{
	struct buf b;
	struct json j;

	buf_init(&b, 10);
	buf_str(&b, "12345");
	buf_printf(&b, "%d", 67890);
	ok(!b.failed && b.n == 10 && memcmp(b.p, "1234567890", 10) == 0, "to the brim");
	buf_str(&b, "x");
	ok(b.failed && b.n == 10, "one more is refused and sticks");
	buf_free(&b);

	buf_init(&b, 4096);
	json_init(&j, &b);
	json_open(&j, NULL, '{');
	json_string(&j, "s", "a\"\\\n\xff\xc3\xa9");
	json_open(&j, "empty", '[');
	json_close(&j, ']');
	json_open(&j, "list", '[');
	json_u64(&j, NULL, UINT64_MAX);
	json_bool(&j, NULL, false);
	json_close(&j, ']');
	json_hex(&j, "h", "\x01\xab", 2);
	json_close(&j, '}');
	buf_add(&b, "", 1);
	is_str((char *)b.p,
	       "{\n  \"s\": \"a\\\"\\\\\\u000a\\ufffd\xc3\xa9\",\n  \"empty\": [],\n  \"list\": [\n"
	       "    18446744073709551615,\n    false\n  ],\n  \"h\": \"01ab\"\n}\n",
	       "JSON: escapes, commas, nesting");
	buf_free(&b);
}

static void test_hex(void)
{
	uint8_t out[2];
	char s[5];

	ok(hex_decode("aB01", 4, out, 2) && out[0] == 0xab && out[1] == 1, "decode, either case");
	ok(!hex_decode("aB0", 3, out, 2) && !hex_decode("aB0g", 4, out, 2) && !hex_decode("aB01", 4, out, 1),
	   "odd, not hex, too long");
	hex_encode("\xab\x01", 2, s);
	is_str(s, "ab01", "encode");
}

static void test_files(const char *dir)
{
	char path[256];
	struct bawn_error e = { 0 };
	uint8_t *p = NULL;
	size_t n;
	struct stat st;

	snprintf(path, sizeof(path), "%s/f", dir);
	is_int(io_write_file(path, "hello", 5, 0640, &e), 0, "write");
	ok(stat(path, &st) == 0 && (st.st_mode & 0777) == 0640, "mode as given");
	ok(io_read_file(path, 5, &p, &n, &e) == 0 && n == 5 && memcmp(p, "hello", 5) == 0, "read back");
	free(p);
	is_int(io_read_file(path, 4, &p, &n, NULL), BAWN_ERR_FORMAT, "a larger file is refused");
	is_int(io_write_file(path, "", 0, 0600, &e), 0, "replace by an empty one");
	ok(io_read_file(path, 5, &p, &n, &e) == 0 && n == 0 && p, "an empty file reads as empty");
	free(p);
	unlink(path);
	is_int(io_read_file(path, 5, &p, &n, NULL), BAWN_ERR_NOT_FOUND, "a missing file");
	is_int(io_read_file(dir, 5, &p, &n, NULL), BAWN_ERR_FORMAT, "a directory");

	if (mkfifo(path, 0600) == 0) {
		char got[6] = "";
		int fd = open(path, O_RDWR); /* keeps the pipe open, so that nobody waits */

		is_int(io_write_file(path, "hello", 5, 0600, &e), 0, "write to a pipe");
		ok(read(fd, got, 5) == 5 && strcmp(got, "hello") == 0, "goes into it");
		ok(stat(path, &st) == 0 && S_ISFIFO(st.st_mode), "and leaves it a pipe");
		close(fd);
		unlink(path);
	}
	is_int(io_write_file(dir, "x", 1, 0600, NULL), BAWN_ERR_SYSTEM, "a directory is not written");
}

static void test_fds(void)
{
	struct bawn_error e = { 0 };
	char text[8] = "";
	int sv[2], pipefd[2], got[2] = { -1, -1 };
	size_t n, nfds;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) || pipe(pipefd)) {
		ok(false, "sockets");
		return;
	}
	is_int(io_send_fds(sv[0], "m", 1, pipefd, 2, &e), 0, "send two descriptors");
	ok(io_recv_fds(sv[1], text, sizeof(text), &n, got, 2, &nfds, &e) == 0 && n == 1 && nfds == 2, "receive");
	ok(fcntl(got[0], F_GETFD) & FD_CLOEXEC, "received close-on-exec");
	ok(write(got[1], "x", 1) == 1 && read(pipefd[0], text, 1) == 1 && text[0] == 'x', "they are the pipe");
	is_int(io_send_fds(sv[0], "m", 1, pipefd, 2, &e), 0, "send again");
	is_int(io_recv_fds(sv[1], text, sizeof(text), &n, got, 1, &nfds, NULL), BAWN_ERR_FORMAT,
	       "more descriptors than asked for: refused");
	close(sv[0]);
	ok(io_recv_fds(sv[1], text, sizeof(text), &n, got, 1, &nfds, &e) == 0 && n == 0, "end of stream");
}

int main(void)
{
	char dir[] = "/tmp/bawn-base.XXXXXX";

	if (!mkdtemp(dir))
		return 1;
	test_cursor();
	test_error();
	test_fit();
	test_buf_and_json();
	test_hex();
	test_files(dir);
	test_fds();
	ok(ct_equal("ab", "ab", 2) && !ct_equal("ab", "ac", 2) && ct_is_zero("\0\0", 2) && !ct_is_zero("\0\1", 2),
	   "constant-time comparison");
	rmdir(dir);
	return tap_done();
}
