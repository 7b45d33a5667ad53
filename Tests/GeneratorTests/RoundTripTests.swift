import Protobuf
import Testing

/// protoc is the peer: what it encodes, generated code reads and writes back.
@Suite struct RoundTripTests {
    static let file = "testing/everything.proto"

    private func roundTrip<M: Message>(_ text: String, _ type: M.Type) throws -> M {
        let name = M.schema.fullName
        let bytes = try Protoc.encode(text, as: name, in: RoundTripTests.file)
        let message = try M(decoding: bytes)
        #expect(
            try Protoc.decode(message.encoded(), as: name, in: RoundTripTests.file)
                == Protoc.decode(bytes, as: name, in: RoundTripTests.file))
        #expect(try M(decoding: message.encoded()) == message)
        return message
    }

    @Test("every scalar kind")
    func scalars() throws {
        let message = try roundTrip(
            """
            a_double: 1.5 a_float: -2.25 an_int32: -3 an_int64: -9223372036854775808 a_uint32: 4294967295
            a_uint64: 18446744073709551615 a_sint32: -2147483648 a_sint64: -7 a_fixed32: 8
            a_fixed64: 9 a_sfixed32: -10 a_sfixed64: -11 a_bool: true a_string: "h\\303\\251llo"
            some_bytes: "\\000\\377" color: COLOR_NEGATIVE
            """, EverythingV1.Scalars.self)
        #expect(message.aDouble == 1.5)
        #expect(message.aFloat == -2.25)
        #expect(message.anInt32 == -3)
        #expect(message.anInt64 == .min)
        #expect(message.aUint32 == .max)
        #expect(message.aUint64 == .max)
        #expect(message.aSint32 == .min)
        #expect(message.aSint64 == -7)
        #expect(message.aFixed32 == 8)
        #expect(message.aFixed64 == 9)
        #expect(message.aSfixed32 == -10)
        #expect(message.aSfixed64 == -11)
        #expect(message.aBool)
        #expect(message.aString == "héllo")
        #expect(message.someBytes == [0, 255])
        #expect(message.color == .negative)
    }

    @Test("presence: unset, and set to the default")
    func presence() throws {
        let empty = try roundTrip("", EverythingV1.Presence.self)
        #expect(empty == EverythingV1.Presence())
        let zeros = try roundTrip(
            """
            a_double: 0 an_int64: 0 a_bool: false a_string: "" some_bytes: ""
            color: COLOR_UNSPECIFIED scalars {} at { seconds: 5 }
            """, EverythingV1.Presence.self)
        #expect(zeros.aDouble == 0)
        #expect(zeros.anInt64 == 0)
        #expect(zeros.aBool == false)
        #expect(zeros.aString == "")
        #expect(zeros.someBytes == [])
        #expect(zeros.color == .unspecified)
        #expect(zeros.scalars == EverythingV1.Scalars())
        #expect(zeros.at?.seconds == 5)
    }

    @Test("lists, packed and not")
    func lists() throws {
        let message = try roundTrip(
            """
            doubles: [1, 2.5] floats: [3] int32s: [-1, 0, 1] sint64s: [-5] fixed32s: [6, 7]
            bools: [true, false] strings: ["a", ""] bytes_list: ["\\001"] colors: [COLOR_DARK_RED, 77]
            messages { an_int32: 1 } messages {} unpacked: [1, 2, 3]
            """, EverythingV1.Lists.self)
        #expect(message.doubles == [1, 2.5])
        #expect(message.bools == [true, false])
        #expect(message.strings == ["a", ""])
        #expect(message.bytesList == [[1]])
        #expect(message.colors == [.crimson, EverythingV1.Color(rawValue: 77)])
        #expect(message.messages.map(\.anInt32) == [1, 0])
        #expect(message.unpacked == [1, 2, 3])
    }

    @Test("maps of every kind of key and value; one entry each, since their order is free")
    func maps() throws {
        let message = try roundTrip(
            """
            labels { key: "a" value: "b" } colors { key: -1 value: COLOR_DEFAULT }
            blobs { key: true value: "x" } messages { key: -9 value { a_bool: true } }
            weights { key: 3 value: 0.5 } children { key: "" value { labels { key: "c" value: "" } } }
            """, EverythingV1.Maps.self)
        #expect(message.labels == ["a": "b"])
        #expect(message.colors == [-1: .default])
        #expect(message.blobs == [true: [0x78]])
        #expect(message.messages[-9]?.aBool == true)
        #expect(message.weights == [3: 0.5])
        #expect(message.children[""]?.labels == ["c": ""])
    }

    @Test(
        "each member of a oneof, also at its default",
        arguments: [
            ("text: \"\"", .text("")), ("number: -4", .number(-4)),
            ("color: COLOR_INIT", .color(.init_)),
            ("blob: \"\\001\"", .blob([1])), ("scalars {}", .scalars(EverythingV1.Scalars())),
            ("none: false", .none_(false)), ("", nil),
        ] as [(String, EverythingV1.Choice.OneOfValue?)])
    func oneofs(_ text: String, _ value: EverythingV1.Choice.OneOfValue?) throws {
        let message = try roundTrip("before: 1 \(text) empty {}", EverythingV1.Choice.self)
        #expect(message.value == value)
        #expect(message.other == .empty(EverythingV1.Choice.Empty()))
    }

    @Test("a message that contains itself in every way")
    func recursion() throws {
        let message = try roundTrip(
            """
            name: "root" left { name: "l" left { name: "ll" } } children { name: "c" }
            named { key: "n" value { right { name: "nr" } } }
            branch { tree { name: "bt" } value { list_value { values { number_value: 1 } } } }
            up { down { tree { name: "deep" } } }
            """, EverythingV1.Tree.self)
        #expect(message.left?.left?.name == "ll")
        #expect(message.right == nil)
        #expect(message.named["n"]?.right?.name == "nr")
        #expect(message.branch?.tree?.name == "bt")
        var changed = message
        changed.left?.name = "other"
        changed.branch = nil
        #expect(changed.left?.name == "other" && message.left?.name == "l")
        #expect(changed != message)
    }

    @Test("fields of a newer schema survive")
    func unknownFields() throws {
        let bytes = try Protoc.encode(
            "a_string: \"kept\" an_int32: 5", as: "testing.everything.v1.Scalars",
            in: RoundTripTests.file)
        let narrow = try EverythingV1.Int32(decoding: bytes)
        #expect(narrow != EverythingV1.Int32())
        let wide = try EverythingV1.Scalars(decoding: narrow.encoded())
        #expect(wide.aString == "kept" && wide.anInt32 == 5)
    }

    @Test("schemas know their enums and files")
    func schemas() throws {
        #expect(EverythingV1.Color.schema.value(number: 2)?.name == "COLOR_DEFAULT")
        #expect(EverythingV1.String.Type_.schema.fullName == "testing.everything.v1.String.Type")
        #expect(EverythingV1.everythingFile.name == RoundTripTests.file)
        #expect(EverythingV1.everythingFile.file.comments([4, 0]) == nil)
    }
}
