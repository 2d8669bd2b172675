# A gate in the wrong hands gets no answer that the policy refuses: evil/gate.c. What it
# gets of the system, which is nothing, tests/rogue proves.
# no-asan: the roles' tables of system calls do not have the sanitizer's
. tests/tap.sh
. tests/daemon/daemon.sh
[ -x "$BUILD/tests/daemon/bawnd-evil" ] || skip_all "bawnd-evil is not built"
daemon_setup
daemon_policy "[native]" "allow certify,administer uid=$uid" "[aesm]"
"$BUILD/tests/daemon/bawnd-evil" --config "$tmp/bawnd.conf" --foreground >>"$tmp/log" 2>&1 </dev/null &
daemon=$!
until_ok grep -q provisioned "$tmp/log" # it has its policy and its enclaves

# tell LETTER: have it do that; print type and code of each answer that comes back.
tell() {
	python3 -c 'import socket,struct,sys
s=socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.settimeout(3); s.connect(sys.argv[1]); s.send(sys.argv[2].encode())
try:
    while True:
        d=s.recv(65536)
        if not d:
            print("closed")
            break
        print("answer", *struct.unpack_from("<HH", d, 4))
except OSError: pass' "$BAWN_SOCKET" "$1"
}
a=$(tell q)
like "$a" '^answer 1 0$' "in a client's name: the vault answers that client"
like "$a" '^answer 3 3$' "and refuses it what the policy does"
is "$(tell a)" "closed" "by another protocol than the socket's: nothing, and the vault lets go of the connection"
is "$(tell l | tr '\n' ' ')" "answer 1 0 closed " "in an administrator's name: nothing that the client has not written itself"
is "$("$bawn" daemon audit search --dir "$tmp/audit" event=quiesce | wc -l)" 0 "... nor is it done"

# A client that binds its own end to the configured path, and connects it to what
# the parent listens on: the kernel tells the parent's credentials at that end.
strangers() { grep -c "no client's of ours" "$tmp/log"; }
before=$(strangers)
mv "$BAWN_SOCKET" "$run/moved"
python3 -c 'import array,socket,sys
path,real=sys.argv[1:]
end=socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); end.bind(path); end.connect(real)
s=socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.settimeout(3); s.connect(real)
end.send(b"x") # the gate takes one at a time
s.sendmsg([b"c"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [end.fileno()]))])
try: s.recv(1)
except OSError: pass' "$BAWN_SOCKET" "$run/moved"
rm "$BAWN_SOCKET"
mv "$run/moved" "$BAWN_SOCKET"
for _ in $(seq 50); do [ "$(strangers)" != "$before" ] && break; sleep 0.1; done
is $(($(strangers) - before)) 1 "the end of another's connection, with credentials that are not the client's: no client"
before=$(role vault)
tell g >/dev/null
for _ in $(seq 50); do grep -q 'garbage sent' "$tmp/log" && break; sleep 0.1; done

like "$(tell q)" '^answer 3 3$' "after garbage the vault still answers, and still refuses"
is "$(role vault)" "$before" "it is the same one"
remarks=$(grep -c "vault: .*cannot be read\|no client's of ours" "$tmp/log")
ok "the log is not the gate's to fill ($remarks remarks)" test "$remarks" -gt 2 -a "$remarks" -le 20
ok "... and says so" logs 'vault: more of the kind is counted'
kill "$daemon"
wait "$daemon"
is $? 0 "and all of it ends well"
tap_done
