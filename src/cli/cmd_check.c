/* bawn check: what this machine has for enclaves, and what to do about what is missing. */
#include "cli/cli.h"
#include "cpu/cpu.h"
#include "dev/dev.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Exit codes of its own: enclaves run on hardware (0), emulated only, not at all. */
enum { EXIT_EMULATED = 3, EXIT_NONE = 4 };

static const struct cli_option options[] = { CLI_OPT_PLATFORM, CLI_OPT_JSON, { 0 } };

struct findings {
	struct dev_probe machine;
	struct dev_emulation emulation;
	bool emulation_works;
	char platform_dir[4096];
	bool have_platform;
	struct bawn_error platform_error;
	enum dev_kind choice; /* what --device auto takes */
	const char *advice[12];
	size_t nadvice;
};

static const char *const node_names[DEV_NODES] = {
	[DEV_NODE_ENCLAVE] = "enclave device",
	[DEV_NODE_PROVISION] = "provision device",
	[DEV_NODE_ISGX] = "isgx device",
};
static const char *const node_keys[DEV_NODES] = {
	[DEV_NODE_ENCLAVE] = "enclave",
	[DEV_NODE_PROVISION] = "provision",
	[DEV_NODE_ISGX] = "isgx",
};

static void advise(struct findings *f, const char *text)
{
	if (f->nadvice < ARRAY_LEN(f->advice))
		f->advice[f->nadvice++] = text;
}

static void advise_driver(struct findings *f)
{
	const struct dev_node *enclave = &f->machine.node[DEV_NODE_ENCLAVE];
	const struct dev_node *provision = &f->machine.node[DEV_NODE_PROVISION];

	if (!enclave->present && !f->machine.launch_control)
		advise(f, "launch control is locked: the in-kernel driver does not serve this CPU; turn on "
			  "\"SGX launch control: unlocked\" in the firmware, or use the out-of-tree isgx driver");
	else if (!enclave->present)
		advise(f, "no /dev/sgx_enclave: use a kernel from 5.11 on, built with CONFIG_X86_SGX");
	else if (enclave->open_errno == EACCES || enclave->open_errno == EPERM)
		advise(f, "the enclave device may not be opened: add this user to the group that owns it");
	else if (enclave->open_errno)
		advise(f, "the enclave device does not open: see the kernel's log");
	if (enclave->present && enclave->noexec)
		advise(f, "/dev is mounted noexec, so enclaves can not be mapped executable: "
			  "`mount -o remount,exec /dev`");
	if (enclave->present && !f->machine.vdso)
		advise(f, "the kernel offers no __vdso_sgx_enter_enclave: it was booted with vdso=0");
	if (provision->present && provision->open_errno)
		advise(f, "the provision device may not be opened: only enclaves with PROVISION_KEY need it; "
			  "add this user to the group that owns it (often sgx_prv)");
}

static void advise_emulation(struct findings *f)
{
	const struct dev_emulation *em = &f->emulation;

	if (!em->memfd)
		advise(f, "emulation needs memory files: memfd_create is refused here (seccomp?)");
	else if (!em->reserve)
		advise(f, "emulation needs address space: raise the limit (`ulimit -v`)");
	else if (!em->exec)
		advise(f, "emulation needs executable shared mappings, which are refused here "
			  "(SELinux execmem, vm.memfd_noexec, a sandbox?)");
	else if (!em->traps)
		advise(f, "emulation needs ENCLU to arrive as a signal; something else takes it here");
	else if (!f->have_platform)
		advise(f, "to use emulation, make a platform: `bawn emu platform create`");
	if (f->emulation_works && !em->cpuid_faulting)
		advise(f, "CPUID can not be made to fault here: inside emulated enclaves it executes, "
			  "where hardware raises #UD");
}

static void find(struct findings *f, const char *platform)
{
	struct cpu_platform p;
	struct bawn_error e = { 0 };

	dev_probe_emulation(&f->emulation);
	f->emulation_works = f->emulation.traps;
	dev_probe(&f->machine);
	f->choice = dev_probe_choice(&f->machine);
	if (platform)
		snprintf(f->platform_dir, sizeof(f->platform_dir), "%s", platform);
	else if (cpu_platform_default_dir(f->platform_dir, sizeof(f->platform_dir), &e))
		f->platform_dir[0] = '\0';
	if (f->platform_dir[0]) {
		f->have_platform = cpu_platform_load(f->platform_dir, &p, &f->platform_error) == 0;
		wipe(&p, sizeof(p));
	}
	if (!f->machine.cpu_sgx)
		advise(f, "no SGX in CPUID: the CPU has none, or firmware or hypervisor hide it; "
			  "look for SGX in the firmware's settings");
	else if (!f->machine.sgx1)
		advise(f, "the CPU has SGX, but firmware left it off: set it to \"enabled\" there");
	else
		advise_driver(f);
	advise_emulation(f);
}

/* ---- for people ---- */

static void line(const char *what, const char *value)
{
	printf("%-20s %s\n", what, value);
}

static const char *yes_no(bool v)
{
	return v ? "yes" : "no";
}

static void show_node(const char *name, const struct dev_node *n)
{
	char text[160];

	if (!n->present)
		snprintf(text, sizeof(text), "no (%s)", n->path);
	else if (n->open_errno)
		snprintf(text, sizeof(text), "%s: %s", n->path, strerror(n->open_errno));
	else
		snprintf(text, sizeof(text), "%s%s", n->path, n->noexec ? ", on a noexec mount" : "");
	line(name, text);
}

static void show_cpu(const struct dev_probe *m)
{
	char text[160];

	if (!m->cpu_sgx) {
		line("SGX in CPUID", "no");
		return;
	}
	snprintf(text, sizeof(text), "SGX1 %s, SGX2 %s, KSS %s, AEX-notify %s", yes_no(m->sgx1),
		 yes_no(m->sgx2), yes_no(m->kss), yes_no(m->aexnotify));
	line("SGX in CPUID", text);
	line("launch control", m->launch_control ? "flexible" : "locked");
	snprintf(text, sizeof(text), "%" PRIu64 " MiB", m->epc_size >> 20);
	line("EPC", text);
}

static void show(const struct findings *f)
{
	const struct dev_emulation *em = &f->emulation;
	char text[4352];

	show_cpu(&f->machine);
	for (int i = 0; i < DEV_NODES; i++)
		show_node(node_names[i], &f->machine.node[i]);
	if (f->machine.node[DEV_NODE_ENCLAVE].present)
		line("driver", f->machine.driver_sgx2 ? "with SGX2" : "without SGX2");
	line("vDSO function", yes_no(f->machine.vdso));
	snprintf(text, sizeof(text), "%s (FSGSBASE %s, CPUID faulting %s)",
		 f->emulation_works ? "works here" : "does not work here", yes_no(em->fsgsbase),
		 yes_no(em->cpuid_faulting));
	line("emulated CPU", text);
	snprintf(text, sizeof(text), "%s%s", f->have_platform ? "" : "none: ",
		 f->have_platform ? f->platform_dir : f->platform_error.msg);
	line("emulated platform", text);
	printf("\n");
	if (f->choice != DEV_AUTO)
		printf("Enclaves can run on this machine's %s driver.\n",
		       f->choice == DEV_KERNEL ? "in-kernel" : "isgx");
	else if (f->emulation_works)
		printf("Enclaves can run here on the emulated CPU only: --device emulated, or "
		       "BAWN_DEVICE=emulated.\n");
	else
		printf("Enclaves can not run here.\n");
	for (size_t i = 0; i < f->nadvice; i++)
		printf("- %s\n", f->advice[i]);
}

/* ---- for programs ---- */

static void json_nodes(struct json *j, const struct findings *f)
{
	json_open(j, "devices", '{');
	for (int i = 0; i < DEV_NODES; i++) {
		const struct dev_node *n = &f->machine.node[i];

		json_open(j, node_keys[i], '{');
		json_string(j, "path", n->path);
		json_bool(j, "present", n->present);
		json_bool(j, "usable", n->present && !n->open_errno);
		json_string(j, "error", n->present && n->open_errno ? strerror(n->open_errno) : "");
		json_bool(j, "noexec", n->noexec);
		json_close(j, '}');
	}
	json_close(j, '}');
}

static void json_findings(struct json *j, const struct findings *f)
{
	const struct dev_probe *m = &f->machine;
	const struct dev_emulation *em = &f->emulation;

	json_open(j, NULL, '{');
	json_string(j, "device", f->choice == DEV_KERNEL ? "kernel" :
				 f->choice == DEV_ISGX   ? "isgx" :
				 f->emulation_works      ? "emulated" :
							   "none");
	json_open(j, "cpu", '{');
	json_bool(j, "sgx", m->cpu_sgx);
	json_bool(j, "sgx1", m->sgx1);
	json_bool(j, "sgx2", m->sgx2);
	json_bool(j, "kss", m->kss);
	json_bool(j, "aex_notify", m->aexnotify);
	json_bool(j, "flexible_launch_control", m->launch_control);
	json_u64(j, "epc_bytes", m->epc_size);
	json_close(j, '}');
	json_nodes(j, f);
	json_bool(j, "driver_sgx2", m->driver_sgx2);
	json_bool(j, "vdso", m->vdso);
	json_open(j, "emulation", '{');
	json_bool(j, "works", f->emulation_works);
	json_bool(j, "memory_file", em->memfd);
	json_bool(j, "address_space", em->reserve);
	json_bool(j, "executable_mapping", em->exec);
	json_bool(j, "traps", em->traps);
	json_bool(j, "fsgsbase", em->fsgsbase);
	json_bool(j, "cpuid_faulting", em->cpuid_faulting);
	json_string(j, "platform", f->platform_dir);
	json_bool(j, "platform_exists", f->have_platform);
	json_close(j, '}');
	json_open(j, "advice", '[');
	for (size_t i = 0; i < f->nadvice; i++)
		json_string(j, NULL, f->advice[i]);
	json_close(j, ']');
	json_close(j, '}');
}

static int run(struct cli *c)
{
	struct findings f = { 0 };

	find(&f, cli_value(c, "platform"));
	if (cli_flag(c, "json"))
		json_findings(cli_json(c), &f);
	else
		show(&f);
	if (f.choice != DEV_AUTO)
		return CLI_OK;
	return f.emulation_works ? EXIT_EMULATED : EXIT_NONE;
}

const struct cli_command cmd_check = {
	.name = "check",
	.summary = "what this machine has for enclaves, and what is missing",
	.details = "Exit code 0 if enclaves can run on this machine's SGX, 3 if only on the emulated\n"
		   "CPU, 4 if neither.",
	.options = options,
	.run = run,
};
