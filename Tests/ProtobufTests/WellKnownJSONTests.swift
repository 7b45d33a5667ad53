import Protobuf
import Testing

@Suite struct WellKnownJSONTests {
    private func parse(_ json: String) throws(ProtobufError) -> DynamicMessage {
        try ProtoJSON.parse(Array(json.utf8), as: Probe.wellKnown, pool: Probe.pool)
    }

    @Test(
        arguments: [
            (#"{"at":"2025-12-02T10:00:00Z"}"#, nil), (#"{"at":"0001-01-01T00:00:00Z"}"#, nil),
            (#"{"at":"9999-12-31T23:59:59.999999999Z"}"#, nil),
            (#"{"at":"1970-01-01T00:00:00Z"}"#, nil),
            (#"{"at":"1969-12-31T23:59:59.500Z"}"#, nil),
            (#"{"at":"2024-02-29T00:00:00.000001Z"}"#, nil),
            (#"{"at":"2025-12-02T17:00:00.1+07:00"}"#, #"{"at":"2025-12-02T10:00:00.100Z"}"#),
            (#"{"lasts":"1.5s"}"#, #"{"lasts":"1.500s"}"#), (#"{"lasts":"-0.000001s"}"#, nil),
            (#"{"lasts":"315576000000s"}"#, nil), (#"{"lasts":"0s"}"#, nil),
            (#"{"lasts":"-315576000000.999999999s"}"#, nil),
            (#"{"mask":"a.bC,dEf"}"#, nil), (#"{"mask":""}"#, nil),
            (#"{"object":{"a":[1,"x",null,true,{"b":{}}],"c":null}}"#, nil),
            (#"{"object":{}}"#, nil),
            (#"{"value":null}"#, nil), (#"{"value":1.5}"#, nil), (#"{"value":[]}"#, nil),
            (#"{"values":[null,1]}"#, nil), (#"{"named":{"a":null}}"#, nil),
            (#"{"list":[[],{}]}"#, nil),
            (#"{"empty":{}}"#, nil), (#"{"wide":"5"}"#, nil), (#"{"wide":5}"#, #"{"wide":"5"}"#),
            (#"{"wide":"0"}"#, nil), (#"{"text":""}"#, nil), (#"{"flag":false}"#, nil),
            (#"{"real":"NaN"}"#, nil), (#"{"blob":"AA=="}"#, nil), (#"{"wide":null}"#, "{}"),
            (#"{"at":null,"any":null,"mask":null}"#, "{}"), (#"{"any":{}}"#, nil),
            (#"{"any":{"@type":"x/probe.Sample","aInt32":5}}"#, nil),
            (
                #"{"any":{"aInt32":5,"@type":"x/probe.Sample"}}"#,
                #"{"any":{"@type":"x/probe.Sample","aInt32":5}}"#
            ),
            (#"{"any":{"@type":"x/google.protobuf.Duration","value":"1s"}}"#, nil),
            (#"{"any":{"@type":"x/google.protobuf.Empty","value":{}}}"#, nil),
            (#"{"any":{"@type":"x/google.protobuf.Value","value":null}}"#, nil),
            (#"{"any":{"@type":"x/google.protobuf.Any","value":{"@type":"x/probe.Sample"}}}"#, nil),
        ] as [(String, String?)])
    func goodTexts(_ json: String, _ canonical: String?) throws {
        let message = try parse(json)
        let again = try DynamicMessage(decoding: message.encoded(), schema: Probe.wellKnown)
        let text = try ProtoJSON.print(again, pool: Probe.pool)
        #expect(String(decoding: text, as: UTF8.self) == canonical ?? json)
    }

    @Test(arguments: [
        (#"{"at":"2025-12-02T10:00:00"}"#, 6, "at"), (#"{"at":"2025-12-02 10:00:00Z"}"#, 6, "at"),
        (#"{"at":"2025-02-29T00:00:00Z"}"#, 6, "at"), (#"{"at":"0000-01-01T00:00:00Z"}"#, 6, "at"),
        (#"{"at":"2025-12-02T24:00:00Z"}"#, 6, "at"),
        (#"{"at":"0001-01-01T00:00:00+01:00"}"#, 6, "at"),
        (#"{"at":"2025-12-02t10:00:00z"}"#, 6, "at"), (#"{"at":"2025-12-02T10:00:00.Z"}"#, 6, "at"),
        (#"{"at":5}"#, 6, "at"), (#"{"times":[null]}"#, 10, "times[0]"),
        (#"{"lasts":"1"}"#, 9, "lasts"), (#"{"lasts":"315576000001s"}"#, 9, "lasts"),
        (#"{"lasts":".5s"}"#, 9, "lasts"), (#"{"mask":"a_b"}"#, 8, "mask"),
        (#"{"mask":"a,,b"}"#, 8, "mask"),
        (#"{"object":[]}"#, 10, "object"),
        (#"{"object":{"a":1,"a":2}}"#, 17, #"object.fields["a"]"#),
        (#"{"wide":"x"}"#, 8, "wide"), (#"{"empty":{"a":1}}"#, 10, "empty.a"),
        (#"{"any":{"value":1}}"#, 7, "any"), (#"{"any":{"@type":"x/no.Such"}}"#, 16, "any"),
        (#"{"any":{"@type":"probe.Sample"}}"#, 16, "any"),
        (#"{"any":{"@type":"x/google.protobuf.Duration"}}"#, 7, "any"),
        (#"{"any":{"@type":"x/probe.Sample","aInt32":"no"}}"#, 42, "any.a_int32"),
    ])
    func badTexts(_ json: String, _ offset: Int, _ path: String) {
        let error = failure { () throws(ProtobufError) in _ = try parse(json) }
        #expect(error != nil)
        #expect(error?.offset == offset, "\(error?.description ?? "")")
        #expect(error?.path == path.replacing(".fields", with: ""), "\(error?.description ?? "")")
    }

    @Test(arguments: [
        ("at", "seconds", DynamicValue.int64(253_402_300_800)), ("at", "nanos", .int32(-1)),
        ("lasts", "seconds", .int64(315_576_000_001)), ("mask", "paths", .list([.string("aB")])),
        ("value", "number_value", .double(.nan)), ("any", "type_url", .string("x/no.Such")),
    ])
    func valuesWithoutJSONAreRefused(_ field: String, _ inner: String, _ value: DynamicValue) {
        var message = DynamicMessage(Probe.wellKnown)
        var part = DynamicMessage(Probe.wellKnown.field(named: field)!.messageType!)
        part[inner] = value
        message[field] = .message(part)
        let error = failure { () throws(ProtobufError) in
            _ = try ProtoJSON.print(message, pool: Probe.pool)
        }
        #expect(error?.code == .unrepresentable)
        #expect(error?.path == field)
    }
}
