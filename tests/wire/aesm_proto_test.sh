# AESM's messages against an independent implementation of protobuf: see aesm_proto.py.
. tests/tap.sh
for python in python3 /usr/bin/python3; do
	"$python" -c 'import google.protobuf' 2>/dev/null && break
	python=
done
[ -n "$python" ] || skip_all "python3-protobuf is not here"
PYTHONDONTWRITEBYTECODE=1 "$python" tests/wire/aesm_proto.py "$BUILD/tests/wire/aesm_prog"
