# Debugging enclaves under `bawn emulate`:
#
#	gdb -x bawn.gdb --args bawn emulate -- PROGRAM ...
#	(gdb) run
#
# Memory of enclaves is read as any other, and hardware breakpoints (hbreak)
# stop in them. Code of an enclave is mapped without permission to write, shared,
# and there a debugger's own breakpoints cannot be written. Debug enclaves have a
# second mapping for that, in the table bawn_debug_mappings (doc/EMULATE.md),
# which these commands use.

# Leaf functions, and pages added on demand, are traps of the emulated CPU.
handle SIGILL SIGSEGV nostop noprint pass
set breakpoint pending on
# `bawn` becomes the program by exec.
set follow-exec-mode same

define bawn-mapping
  set $bawn_at = (unsigned char *) 0
  set $bawn_i = 0
  while $bawn_i < 64
    set $bawn_row = (unsigned long *) &bawn_debug_mappings + 3 * $bawn_i
    if (unsigned long) ($arg0) - $bawn_row[0] < $bawn_row[1]
      set $bawn_at = (unsigned char *) ($bawn_row[2] + (unsigned long) ($arg0) - $bawn_row[0])
    end
    set $bawn_i = $bawn_i + 1
  end
end
document bawn-mapping
bawn-mapping ADDRESS: where ADDRESS of a debug enclave can be written, in $bawn_at; 0 if nowhere.
end

define bawn-write
  bawn-mapping $arg0
  if $bawn_at == 0
    printf "0x%lx is in no debug enclave\n", (unsigned long) ($arg0)
  else
    set var *$bawn_at = (unsigned char) ($arg1)
  end
end
document bawn-write
bawn-write ADDRESS BYTE: write to a debug enclave, whatever the protection of its page.
end

define bawn-break
  bawn-mapping $arg0
  if $bawn_at == 0
    printf "0x%lx is in no debug enclave\n", (unsigned long) ($arg0)
  else
    eval "set $bawn_byte_%lx = %d", (unsigned long) ($arg0), *$bawn_at
    set var *$bawn_at = 0xcc
    printf "Breakpoint in an enclave at 0x%lx\n", (unsigned long) ($arg0)
  end
end
document bawn-break
bawn-break ADDRESS: a software breakpoint in a debug enclave. It stops with SIGTRAP, one byte
behind ADDRESS; then bawn-resume, or bawn-delete.
end

define bawn-restore
  set $bawn_was = (unsigned long) ($arg0)
  eval "set $bawn_saved = $bawn_byte_%lx", $bawn_was
  bawn-mapping $bawn_was
  set var *$bawn_at = (unsigned char) $bawn_saved
  if (unsigned long) $pc == $bawn_was + 1
    set $pc = $bawn_was
  end
end

define bawn-delete
  bawn-restore $arg0
end
document bawn-delete
bawn-delete ADDRESS: remove a breakpoint of bawn-break; when stopped at it, the next
instruction is the one at ADDRESS.
end

define bawn-resume
  set $bawn_here = (unsigned long) $pc - 1
  bawn-restore $bawn_here
  stepi
  bawn-mapping $bawn_here
  set var *$bawn_at = 0xcc
  continue
end
document bawn-resume
bawn-resume: continue from a breakpoint of bawn-break, which stays.
end
