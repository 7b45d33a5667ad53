import Protobuf
import Testing

@Suite struct ProtoJSONTests {
    private func parse(
        _ json: String, _ schema: MessageSchema = Probe.sample,
        _ options: ProtoJSON.ParseOptions = .init()
    ) throws(ProtobufError) -> DynamicMessage {
        try ProtoJSON.parse(Array(json.utf8), as: schema, pool: Probe.pool, options: options)
    }

    private func print(
        _ message: DynamicMessage, _ options: ProtoJSON.PrintOptions = .init()
    ) throws -> String {
        String(
            decoding: try ProtoJSON.print(message, pool: Probe.pool, options: options),
            as: UTF8.self)
    }

    @Test(arguments: [
        ("{}", "{}"), (#"{"aInt32":1}"#, #"{"aInt32":1}"#), (#"{"a_int32":1}"#, #"{"aInt32":1}"#),
        (#"{"a\u0049nt32":"1"}"#, #"{"aInt32":1}"#), (#"{"aInt32":1e2}"#, #"{"aInt32":100}"#),
        (#"{"aInt32":1.0}"#, #"{"aInt32":1}"#), (#"{"aInt32":-0}"#, "{}"),
        (#"{"aInt32":null}"#, "{}"),
        (#"{"aInt64":"-9223372036854775808"}"#, #"{"aInt64":"-9223372036854775808"}"#),
        (#"{"aUint64":18446744073709551615}"#, #"{"aUint64":"18446744073709551615"}"#),
        (#"{"aDouble":"Infinity"}"#, #"{"aDouble":"Infinity"}"#),
        (#"{"aDouble":"-Infinity","aFloat":"NaN"}"#, #"{"aFloat":"NaN","aDouble":"-Infinity"}"#),
        (#"{"aDouble":"1.5"}"#, #"{"aDouble":1.5}"#),
        (#"{"aDouble":1e300}"#, #"{"aDouble":1e+300}"#),
        (#"{"aDouble":-0.0}"#, #"{"aDouble":-0}"#),
        (#"{"aBytes":"-_8"}"#, #"{"aBytes":"+/8="}"#),
        (#"{"aBytes":"YQ=="}"#, #"{"aBytes":"YQ=="}"#),
        (#"{"status":"STATUS_DONE"}"#, #"{"status":"STATUS_DONE"}"#),
        (#"{"status":99}"#, #"{"status":99}"#), (#"{"status":5}"#, #"{"status":"STATUS_DONE"}"#),
        (#"{"maybeInt":0,"maybeString":""}"#, #"{"maybeInt":0,"maybeString":""}"#),
        (#"{"choiceInt":null,"choiceString":""}"#, #"{"choiceString":""}"#),
        (#"{"ints":[1,"2"],"strings":null}"#, #"{"ints":[1,2]}"#),
        (
            #"{"counts":{"b":2,"a":1},"byId":{"-3":{}}}"#,
            #"{"counts":{"a":1,"b":2},"byId":{"-3":{}}}"#
        ),
        (#"{"flags":{"true":1,"false":0.5}}"#, #"{"flags":{"false":0.5,"true":1}}"#),
        (#"{"aString":"\ud83d\ude00\n\u0001\/"}"#, #"{"aString":"😀\n\u0001/"}"#),
        (" {\t\"child\" : { } }\r\n", #"{"child":{}}"#),
    ])
    func goodTexts(_ json: String, _ canonical: String) throws {
        #expect(try print(try parse(json)) == canonical)
    }

    @Test(
        arguments: [
            ("", 0, nil), ("null", 0, nil), ("[]", 0, nil), ("{} x", 3, nil), ("{,}", 1, nil),
            (#"{"aInt32":1,}"#, 12, nil), (#"{"ints":[1,]}"#, 11, "ints[1]"),
            (#"{"aInt32":1 /* no */}"#, 12, nil), (#"{'aInt32':1}"#, 1, nil),
            (#"{"nothing":1}"#, 1, "nothing"), (#"{"child":{"oops":1}}"#, 10, "child.oops"),
            (#"{"aInt32":1,"aInt32":2}"#, 12, "a_int32"),
            (#"{"aInt32":1,"a_int32":2}"#, 12, "a_int32"),
            (#"{"aInt32":1,"a\u0049nt32":2}"#, 12, "a_int32"),
            (#"{"child":null,"child":null}"#, 14, "child"),
            (#"{"aInt32":0.5}"#, 10, "a_int32"), (#"{"aInt32":2147483648}"#, 10, "a_int32"),
            (#"{"aUint32":-1}"#, 11, "a_uint32"), (#"{"aInt32":" 1"}"#, 10, "a_int32"),
            (#"{"aInt32":"1x"}"#, 10, "a_int32"), (#"{"aInt32":01}"#, 11, nil),
            (#"{"aInt32":+1}"#, 10, "a_int32"), (#"{"aInt32":true}"#, 10, "a_int32"),
            (#"{"aInt64":9223372036854775808}"#, 10, "a_int64"),
            (#"{"aDouble":NaN}"#, 11, "a_double"),
            (#"{"aDouble":1e400}"#, 11, "a_double"), (#"{"aFloat":1e39}"#, 10, "a_float"),
            (#"{"aBool":"true"}"#, 9, "a_bool"), (#"{"aString":1}"#, 11, "a_string"),
            (#"{"aBytes":"a"}"#, 10, "a_bytes"), (#"{"aBytes":"YQ="}"#, 10, "a_bytes"),
            (#"{"aString":"\ud800"}"#, 12, "a_string"), (#"{"aString":"\udc00"}"#, 12, "a_string"),
            (#"{"aString":"\ud800\u0041"}"#, 12, "a_string"),
            (#"{"aString":"\x"}"#, 13, "a_string"),
            ("{\"aString\":\"\u{1}\"}", 12, "a_string"), (#"{"aString":"abc"#, 15, "a_string"),
            (#"{"status":"NOPE"}"#, 10, "status"), (#"{"status":1.5}"#, 10, "status"),
            (#"{"ints":[null]}"#, 9, "ints[0]"),
            (#"{"children":[{},{"aInt32":"x"}]}"#, 26, "children[1].a_int32"),
            (#"{"counts":{"a":1,"a":2}}"#, 17, #"counts["a"]"#),
            (#"{"counts":{"a":null}}"#, 15, #"counts["a"]"#),
            (#"{"byId":{"x":{}}}"#, 9, #"by_id["x"]"#),
            (#"{"choiceInt":1,"choiceString":""}"#, 15, "choice_string"),
            (#"{"ints":{}}"#, 8, "ints"), (#"{"child":[]}"#, 9, "child"),
        ] as [(String, Int, String?)])
    func badTexts(_ json: String, _ offset: Int, _ path: String?) {
        let error = failure { () throws(ProtobufError) in _ = try parse(json) }
        #expect(error != nil)
        #expect(error?.offset == offset, "\(error?.description ?? "")")
        #expect(error?.path == path, "\(error?.description ?? "")")
    }

    @Test func textMustBeUTF8() {
        let json = Array(#"{"aString":"a"#.utf8) + [0xFF, 0x22, 0x7D]
        let error = failure { () throws(ProtobufError) in
            _ = try ProtoJSON.parse(json, as: Probe.sample, pool: Probe.pool)
        }
        #expect(error?.code == .invalidUTF8)
        #expect(error?.offset == 13)
    }

    @Test func depthIsLimited() {
        func text(_ levels: Int) -> String {
            String(repeating: #"{"child":"#, count: levels - 1) + "{}"
                + String(repeating: "}", count: levels - 1)
        }
        #expect(failure { () throws(ProtobufError) in _ = try parse(text(64)) } == nil)
        #expect(failure { () throws(ProtobufError) in _ = try parse(text(65)) }?.code == .tooDeep)
        let list = #"{"object":{"a":"# + String(repeating: "[", count: 90)
        let error = failure { () throws(ProtobufError) in _ = try parse(list, Probe.wellKnown) }
        #expect(error?.code == .tooDeep)
    }

    @Test func unknownFieldsCanBeIgnored() throws {
        let json = #"{"x":[{"y":null}],"status":"NEW","statuses":["NEW","STATUS_DONE"],"aInt32":1}"#
        let message = try parse(json, Probe.sample, .init(ignoreUnknownFields: true))
        #expect(try print(message) == #"{"aInt32":1,"statuses":["STATUS_DONE"]}"#)
        let twice = #"{"x":1,"x":2}"#
        let error = failure { () throws(ProtobufError) in
            _ = try parse(twice, Probe.sample, .init(ignoreUnknownFields: true))
        }
        #expect(error?.offset == 7)
    }

    @Test func enumsHaveAliases() throws {
        let message = try parse(
            #"{"status":"pending"}"#, Probe.sample,
            .init(enumNumber: { type, name in
                type.value(named: "STATUS_\(name.uppercased())")?.number
            }))
        #expect(message["status"] == .enumeration(1))
        let alias: @Sendable (EnumSchema, Int32) -> String? = { type, number in
            type.value(number: number).map { String($0.name.dropFirst(7)).lowercased() }
        }
        #expect(try print(message, .init(enumAlias: alias)) == #"{"status":"pending"}"#)
        #expect(try print(message, .init(enumsAsNumbers: true)) == #"{"status":1}"#)
    }

    @Test func printOptions() throws {
        let message = try parse(#"{"aInt64":"5","aString":"x"}"#)
        let snake = try print(message, .init(preserveProtoFieldNames: true, int64AsNumber: true))
        #expect(snake == #"{"a_int64":5,"a_string":"x"}"#)
        let nulls = try print(DynamicMessage(Probe.sample), .init(explicitNulls: true))
        #expect(
            nulls == #"{"child":null,"maybeInt":null,"maybeString":null,"maybeBool":null,"#
                + #""maybeDouble":null}"#)
        let all = try JSONValue.parse(
            Array(try print(DynamicMessage(Probe.sample), .init(printDefaults: true)).utf8))
        #expect(all["aInt64"] == "0")
        #expect(all["status"] == "STATUS_UNKNOWN")
        #expect(all["ints"] == [])
        #expect(all["counts"] == [:])
        #expect(all["maybeInt"] == nil)
        #expect(all["choiceInt"] == nil)
        let indented = try print(try parse(#"{"ints":[1],"child":{}}"#), .init(indent: 2))
        #expect(indented == "{\n  \"child\": {},\n  \"ints\": [\n    1\n  ]\n}")
    }

    @Test func int64BeyondDoubleIsRefusedAsNumber() throws {
        let message = try parse(#"{"child":{"aInt64":"9007199254740993"}}"#)
        let error = failure { () throws(ProtobufError) in
            _ = try ProtoJSON.print(message, pool: Probe.pool, options: .init(int64AsNumber: true))
        }
        #expect(error?.code == .unrepresentable)
        #expect(error?.path == "child.a_int64")
    }
}
