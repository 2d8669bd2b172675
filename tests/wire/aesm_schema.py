"""The schema of AESM's messages, from the table in doc/AESM.md, and python3-protobuf's classes for them."""

from google.protobuf import descriptor_pb2, descriptor_pool

try:
    from google.protobuf.message_factory import GetMessageClass
except ImportError:  # before protobuf 4.22
    from google.protobuf.message_factory import MessageFactory

    def GetMessageClass(descriptor):
        return MessageFactory().GetPrototype(descriptor)


# number name: request fields / response fields; b bytes, u uint32, U uint64, t bool; * required.
SCHEMA = """
1 InitQuote: timeout u 9 / errorCode u* 1, targetInfo b 2, gid b 3
2 GetQuote: report b* 1, quote_type u* 2, spid b* 3, nonce b 4, sig_rl b 5, buf_size u* 6, qe_report t 7, timeout u 9 / errorCode u* 1, quote b 2, qe_report b 3
3 GetLaunchToken: mr_enclave b* 1, mr_signer b* 2, se_attributes b* 3, timeout u 9 / errorCode u* 1, token b 2
4 ReportAttestationError: platform_info b* 1, attestation_error_code u* 2, update_info_size u* 3, timeout u 9 / errorCode u* 1, platform_update_info b 2
10 GetWhiteListSize: timeout u 9 / errorCode u* 1, white_list_size u 2
11 GetWhiteList: white_list_size u 1, timeout u 9 / errorCode u* 1, white_list b 2
12 SGXGetExtendedEpidGroupId: timeout u 9 / errorCode u* 1, x_group_id u 2
13 SGXSwitchExtendedEpidGroup: x_group_id u 1, timeout u 9 / errorCode u* 1
14 SGXRegister: buf b* 1, data_type u* 2, timeout u 9 / errorCode u* 1
15 InitQuoteEx: att_key_id b 1, b_pub_key_id t* 3, buf_size U 4, timeout u 9 / errorCode u* 1, target_info b 2, pub_key_id_size U 3, pub_key_id b 4
16 GetQuoteSizeEx: att_key_id b 1, timeout u 9 / errorCode u* 1, quote_size u 2
17 GetQuoteEx: report b* 1, att_key_id b 2, qe_report_info b 3, buf_size u* 4, timeout u 9 / errorCode u* 1, quote b 2, qe_report_info b 3
18 CheckUpdateStatus: platform_info b 1, update_info_size u* 2, config u* 3, timeout u 9 / errorCode u* 1, platform_update_info b 2, status u 3
19 SelectAttKeyID: att_key_id_list b 1, timeout u 2 / errorCode u* 1, selected_att_key_id b 2
21 GetSupportedAttKeyIDNum: timeout u 9 / errorCode u* 1, att_key_id_num u 2
22 GetSupportedAttKeyIDs: buf_size u* 1, timeout u 9 / errorCode u* 1, att_key_ids b 2
"""
F = descriptor_pb2.FieldDescriptorProto
TYPES = {"b": F.TYPE_BYTES, "u": F.TYPE_UINT32, "U": F.TYPE_UINT64, "t": F.TYPE_BOOL}


def parse(fields):
    for f in filter(None, (x.strip() for x in fields.split(","))):
        name, kind, number = f.split()
        yield name, kind[0], kind.endswith("*"), int(number)


def schema():
    file = descriptor_pb2.FileDescriptorProto(name="aesm.proto", package="aesm", syntax="proto2")
    outer = {"Request": file.message_type.add(name="Request"), "Response": file.message_type.add(name="Response")}
    messages = {}
    for line in SCHEMA.strip().splitlines():
        head, rest = line.split(":", 1)
        number, name = head.split()
        messages[int(number)] = (name, *[list(parse(x)) for x in rest.split("/")])
        for side, fields in zip(("Request", "Response"), messages[int(number)][1:]):
            m = outer[side].nested_type.add(name=name)
            for fname, kind, required, fnumber in fields:
                m.field.add(name=fname, number=fnumber, type=TYPES[kind],
                            label=F.LABEL_REQUIRED if required else F.LABEL_OPTIONAL)
            outer[side].field.add(name="m" + name, number=int(number), type=F.TYPE_MESSAGE,
                                  type_name=f".aesm.{side}.{name}", label=F.LABEL_OPTIONAL)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return messages, *[GetMessageClass(pool.FindMessageTypeByName("aesm." + s)) for s in outer]
