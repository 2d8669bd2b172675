/*
 * Lengths of x86-64 instructions (SDM volume 2, chapter 2 and appendix A), for
 * code that compilers make. 0 for what is not known for sure.
 */
#include "preload/preload.h"

#define MODRM 0x01
#define IMM8 0x02
#define IMM16 0x04
#define IMM_Z 0x08      /* 4 bytes, 2 with an operand-size prefix */
#define IMM_V 0x10      /* likewise, 8 with REX.W */
#define OFFSET 0x20     /* a 64-bit address, 32 with an address-size prefix */
#define BRANCH 0x40     /* 4 bytes whatever the prefixes */
#define UNKNOWN 0x80

/* A range of opcodes, and what follows them; the last range that fits counts. */
struct range {
	uint8_t first, last, follows;
};

static const struct range one_byte[] = {
	{ 0x00, 0x3f, MODRM },
	{ 0x04, 0x04, IMM8 },   { 0x05, 0x05, IMM_Z },  { 0x0c, 0x0c, IMM8 },  { 0x0d, 0x0d, IMM_Z },
	{ 0x14, 0x14, IMM8 },   { 0x15, 0x15, IMM_Z },  { 0x1c, 0x1c, IMM8 },  { 0x1d, 0x1d, IMM_Z },
	{ 0x24, 0x24, IMM8 },   { 0x25, 0x25, IMM_Z },  { 0x2c, 0x2c, IMM8 },  { 0x2d, 0x2d, IMM_Z },
	{ 0x34, 0x34, IMM8 },   { 0x35, 0x35, IMM_Z },  { 0x3c, 0x3c, IMM8 },  { 0x3d, 0x3d, IMM_Z },
	{ 0x06, 0x07, UNKNOWN }, { 0x0e, 0x0e, UNKNOWN }, { 0x16, 0x17, UNKNOWN }, { 0x1e, 0x1f, UNKNOWN },
	{ 0x27, 0x27, UNKNOWN }, { 0x2f, 0x2f, UNKNOWN }, { 0x37, 0x37, UNKNOWN }, { 0x3f, 0x3f, UNKNOWN },
	{ 0x40, 0x4f, UNKNOWN }, /* a second REX */
	{ 0x50, 0x5f, 0 },
	{ 0x60, 0x62, UNKNOWN }, { 0x63, 0x63, MODRM },
	{ 0x68, 0x68, IMM_Z }, { 0x69, 0x69, MODRM | IMM_Z }, { 0x6a, 0x6a, IMM8 }, { 0x6b, 0x6b, MODRM | IMM8 },
	{ 0x6c, 0x6f, 0 },
	{ 0x70, 0x7f, IMM8 },
	{ 0x80, 0x80, MODRM | IMM8 }, { 0x81, 0x81, MODRM | IMM_Z }, { 0x82, 0x82, UNKNOWN },
	{ 0x83, 0x83, MODRM | IMM8 }, { 0x84, 0x8f, MODRM },
	{ 0x90, 0x99, 0 }, { 0x9a, 0x9a, UNKNOWN }, { 0x9b, 0x9f, 0 },
	{ 0xa0, 0xa3, OFFSET }, { 0xa4, 0xa7, 0 }, { 0xa8, 0xa8, IMM8 }, { 0xa9, 0xa9, IMM_Z }, { 0xaa, 0xaf, 0 },
	{ 0xb0, 0xb7, IMM8 }, { 0xb8, 0xbf, IMM_V },
	{ 0xc0, 0xc1, MODRM | IMM8 }, { 0xc2, 0xc2, IMM16 }, { 0xc3, 0xc3, 0 }, { 0xc4, 0xc5, UNKNOWN },
	{ 0xc6, 0xc6, MODRM | IMM8 }, { 0xc7, 0xc7, MODRM | IMM_Z }, { 0xc8, 0xc8, IMM16 | IMM8 },
	{ 0xc9, 0xc9, 0 }, { 0xca, 0xca, IMM16 }, { 0xcb, 0xcc, 0 }, { 0xcd, 0xcd, IMM8 },
	{ 0xce, 0xce, UNKNOWN }, { 0xcf, 0xcf, 0 },
	{ 0xd0, 0xd3, MODRM }, { 0xd4, 0xd6, UNKNOWN }, { 0xd7, 0xd7, 0 }, { 0xd8, 0xdf, MODRM },
	{ 0xe0, 0xe7, IMM8 }, { 0xe8, 0xe9, BRANCH }, { 0xea, 0xea, UNKNOWN }, { 0xeb, 0xeb, IMM8 },
	{ 0xec, 0xef, 0 },
	{ 0xf0, 0xf3, UNKNOWN }, { 0xf4, 0xf5, 0 }, { 0xf6, 0xf7, MODRM }, { 0xf8, 0xfd, 0 }, { 0xfe, 0xff, MODRM },
};

static const struct range two_bytes[] = { /* 0F xx */
	{ 0x00, 0xff, MODRM },
	{ 0x04, 0x09, 0 }, { 0x04, 0x04, UNKNOWN }, { 0x0a, 0x0a, UNKNOWN }, { 0x0b, 0x0b, 0 },
	{ 0x0c, 0x0c, UNKNOWN }, { 0x0e, 0x0e, 0 }, { 0x0f, 0x0f, MODRM | IMM8 },
	{ 0x30, 0x37, 0 }, { 0x36, 0x36, UNKNOWN }, { 0x38, 0x3f, UNKNOWN },
	{ 0x70, 0x73, MODRM | IMM8 }, { 0x77, 0x77, 0 }, { 0x80, 0x8f, BRANCH },
	{ 0xa0, 0xa2, 0 }, { 0xa4, 0xa4, MODRM | IMM8 }, { 0xa8, 0xaa, 0 }, { 0xac, 0xac, MODRM | IMM8 },
	{ 0xba, 0xba, MODRM | IMM8 }, { 0xc2, 0xc2, MODRM | IMM8 }, { 0xc4, 0xc6, MODRM | IMM8 },
	{ 0xc8, 0xcf, 0 },
};

static uint8_t look_up(const struct range *r, size_t n, uint8_t opcode)
{
	while (n--)
		if (opcode >= r[n].first && opcode <= r[n].last)
			return r[n].follows;
	return UNKNOWN;
}

/* Bytes of ModRM, SIB and displacement. */
static size_t operand_bytes(const uint8_t *p)
{
	const uint8_t mod = p[0] >> 6, rm = p[0] & 7;
	size_t n = 1;

	if (mod == 3)
		return n;
	if (rm == 4) {
		n++;
		if (mod == 0 && (p[1] & 7) == 5)
			return n + 4;
	}
	if (mod == 0)
		return rm == 5 ? n + 4 : n;
	return n + (mod == 1 ? 1 : 4);
}

/* Opcode maps of VEX and EVEX: 1 is 0F, 2 is 0F 38, 3 is 0F 3A, 5 and 6 have no immediates. */
static uint8_t vector_follows(uint8_t map, uint8_t opcode)
{
	switch (map) {
	case 1:
		return look_up(two_bytes, ARRAY_LEN(two_bytes), opcode);
	case 2:
	case 5:
	case 6:
		return MODRM;
	case 3:
		return MODRM | IMM8;
	default:
		return UNKNOWN;
	}
}

struct prefixes {
	bool operand16, address32, rex_w;
};

/* Everything after the opcode. */
static size_t tail(const uint8_t *p, uint8_t follows, const struct prefixes *x)
{
	size_t n = 0;

	if (follows & MODRM)
		n += operand_bytes(p);
	if (follows & IMM8)
		n += 1;
	if (follows & IMM16)
		n += 2;
	if (follows & IMM_Z)
		n += x->operand16 ? 2 : 4;
	if (follows & IMM_V)
		n += x->rex_w ? 8 : x->operand16 ? 2 : 4;
	if (follows & OFFSET)
		n += x->address32 ? 4 : 8;
	if (follows & BRANCH)
		n += 4;
	return n;
}

size_t insn_length(const uint8_t *start)
{
	struct prefixes x = { 0 };
	const uint8_t *p = start;
	uint8_t follows;

	for (;; p++) {
		if (*p == 0x66)
			x.operand16 = true;
		else if (*p == 0x67)
			x.address32 = true;
		else if (*p != 0x2e && *p != 0x36 && *p != 0x3e && *p != 0x26 && *p != 0x64 && *p != 0x65 &&
			 *p != 0xf0 && *p != 0xf2 && *p != 0xf3)
			break;
		if (p - start > 13)
			return 0;
	}
	if (*p == 0xc5) {
		follows = vector_follows(1, p[2]);
		p += 3;
	} else if (*p == 0xc4) {
		follows = vector_follows(p[1] & 0x1f, p[3]);
		p += 4;
	} else if (*p == 0x62) {
		follows = vector_follows(p[1] & 7, p[4]);
		p += 5;
	} else {
		if ((*p & 0xf0) == 0x40)
			x.rex_w = *p++ & 8;
		if (p[0] != 0x0f) {
			follows = look_up(one_byte, ARRAY_LEN(one_byte), p[0]);
			/* TEST with an immediate, among its group; POP, and AMD's XOP. */
			if ((p[0] & 0xfe) == 0xf6 && (p[1] >> 3 & 7) < 2)
				follows |= p[0] == 0xf6 ? IMM8 : IMM_Z;
			if (p[0] == 0x8f && (p[1] >> 3 & 7) != 0)
				follows = UNKNOWN;
			p += 1;
		} else if (p[1] == 0x38 || p[1] == 0x3a) {
			follows = p[1] == 0x3a ? MODRM | IMM8 : MODRM;
			p += 3;
		} else {
			follows = look_up(two_bytes, ARRAY_LEN(two_bytes), p[1]);
			p += 2;
		}
	}
	return follows & UNKNOWN ? 0 : (size_t)(p - start) + tail(p, follows, &x);
}
