import Protobuf
import Testing

@Suite struct JSONValueTests {
    @Test(arguments: [
        "null", "true", "[]", "{}", #"{"a":[1,-2.5e10,"x\ty",null,{"b":false}]}"#, #""\u0007é""#,
    ])
    func textsSurvive(_ text: String) throws {
        let value = try JSONValue.parse(Array(text.utf8))
        #expect(String(decoding: value.encoded(), as: UTF8.self) == text)
    }

    @Test func membersAreFound() throws {
        let value = try JSONValue.parse(Array(#"{"a":1e2,"b":"x","c":[true],"d":1.5}"#.utf8))
        #expect(value["a"]?.integer == 100)
        #expect(value["b"]?.string == "x")
        #expect(value["c"]?.array?.first?.bool == true)
        #expect(value["d"]?.double == 1.5)
        #expect(value["d"]?.integer == nil)
        #expect(value["e"] == nil)
        #expect(value == ["a": .number("1e2"), "b": "x", "c": [true], "d": .number("1.5")])
    }

    @Test(
        arguments: [
            ("", 0, nil), ("1 2", 2, nil), (#"{"a":1,"a":2}"#, 7, nil), ("[1,]", 3, "[1]"),
            (#"{"a":{"b":[0,nul]}}"#, 13, "a.b[1]"), ("01", 1, nil), ("1.", 2, nil), (".5", 0, nil),
            ("\u{FEFF}1", 0, nil), ("tru", 0, nil),
        ] as [(String, Int, String?)])
    func badTextsNameTheByte(_ text: String, _ offset: Int, _ path: String?) {
        let error = failure { () throws(ProtobufError) in
            _ = try JSONValue.parse(Array(text.utf8))
        }
        #expect(error?.offset == offset)
        #expect(error?.path == path)
    }
}
