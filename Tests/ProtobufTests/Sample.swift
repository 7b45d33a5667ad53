import Protobuf

/// `probe.Sample` as the generator would write it: every reader and writer call once.
struct Sample: Message {
    static let schema = Probe.sample

    enum Choice: Hashable {
        case int(Int32)
        case string(String)
        case child([Sample])
    }

    var int32: Int32 = 0
    var int64: Int64 = 0
    var uint32: UInt32 = 0
    var uint64: UInt64 = 0
    var sint32: Int32 = 0
    var sint64: Int64 = 0
    var fixed32: UInt32 = 0
    var fixed64: UInt64 = 0
    var sfixed32: Int32 = 0
    var sfixed64: Int64 = 0
    var float: Float = 0
    var double: Double = 0
    var bool = false
    var string = ""
    var bytes: [UInt8] = []
    var status: Int32 = 0
    var child: [Sample] = []
    var maybeInt: Int32?
    var maybeString: String?
    var maybeBool: Bool?
    var maybeDouble: Double?
    var choice: Choice?
    var ints: [Int32] = []
    var plainInts: [Int64] = []
    var zigzags: [Int32] = []
    var doubles: [Double] = []
    var floats: [Float] = []
    var fixeds: [UInt32] = []
    var bools: [Bool] = []
    var strings: [String] = []
    var blobs: [[UInt8]] = []
    var statuses: [Int32] = []
    var children: [Sample] = []
    var counts: [String: Int32] = [:]
    var byID: [Int32: Sample] = [:]
    var flags: [Bool: Double] = [:]
    var far = ""
    var farthest = ""
    var unknownFields = UnknownFields()

    init() {}

    init(reading reader: MessageReader) throws(ProtobufError) {
        int32 = reader.int32(0)
        int64 = reader.int64(1)
        uint32 = reader.uint32(2)
        uint64 = reader.uint64(3)
        sint32 = reader.int32(4)
        sint64 = reader.int64(5)
        fixed32 = reader.uint32(6)
        fixed64 = reader.uint64(7)
        sfixed32 = reader.int32(8)
        sfixed64 = reader.int64(9)
        float = reader.float(10)
        double = reader.double(11)
        bool = reader.bool(12)
        string = reader.string(13)
        bytes = reader.bytes(14)
        status = reader.enumeration(15)
        if let value = try reader.message(16, Sample.self) { child = [value] }
        if reader.has(17) { maybeInt = reader.int32(17) }
        if reader.has(18) { maybeString = reader.string(18) }
        if reader.has(19) { maybeBool = reader.bool(19) }
        if reader.has(20) { maybeDouble = reader.double(20) }
        switch reader.oneofCase(21) {
        case 22: choice = .int(reader.int32(21))
        case 23: choice = .string(reader.string(22))
        case 24: choice = .child([try reader.message(23, Sample.self) ?? Sample()])
        default: break
        }
        ints = reader.int32s(24)
        plainInts = reader.int64s(25)
        zigzags = reader.int32s(26)
        doubles = reader.doubles(27)
        floats = reader.floats(28)
        fixeds = reader.uint32s(29)
        bools = reader.bools(30)
        strings = reader.strings(31)
        blobs = reader.bytesList(32)
        statuses = reader.enumerations(33)
        children = try reader.messages(34, Sample.self)
        for k in 0..<reader.count(35) {
            let entry = reader.entry(35, k)
            counts[entry.string(0)] = entry.int32(1)
        }
        for k in 0..<reader.count(36) {
            let entry = reader.entry(36, k)
            byID[entry.int32(0)] = try entry.message(1, Sample.self) ?? Sample()
        }
        for k in 0..<reader.count(37) {
            let entry = reader.entry(37, k)
            flags[entry.bool(0)] = entry.double(1)
        }
        far = reader.string(38)
        farthest = reader.string(39)
        unknownFields = reader.unknownFields
    }

    func write(to writer: MessageWriter) {
        writer.int32(0, int32)
        writer.int64(1, int64)
        writer.uint32(2, uint32)
        writer.uint64(3, uint64)
        writer.int32(4, sint32)
        writer.int64(5, sint64)
        writer.uint32(6, fixed32)
        writer.uint64(7, fixed64)
        writer.int32(8, sfixed32)
        writer.int64(9, sfixed64)
        writer.float(10, float)
        writer.double(11, double)
        writer.bool(12, bool)
        writer.string(13, string)
        writer.bytes(14, bytes)
        writer.enumeration(15, status)
        writer.message(16, child.first)
        if let maybeInt { writer.setInt32(17, maybeInt) }
        if let maybeString { writer.setString(18, maybeString) }
        if let maybeBool { writer.setBool(19, maybeBool) }
        if let maybeDouble { writer.setDouble(20, maybeDouble) }
        switch choice {
        case .int(let value): writer.setInt32(21, value)
        case .string(let value): writer.setString(22, value)
        case .child(let value): writer.message(23, value[0])
        case nil: break
        }
        writer.int32s(24, ints)
        writer.int64s(25, plainInts)
        writer.int32s(26, zigzags)
        writer.doubles(27, doubles)
        writer.floats(28, floats)
        writer.uint32s(29, fixeds)
        writer.bools(30, bools)
        writer.strings(31, strings)
        writer.bytesList(32, blobs)
        writer.enumerations(33, statuses)
        writer.messages(34, children)
        writer.entries(35, counts.count)
        for (k, (key, value)) in counts.sorted(by: { $0.key < $1.key }).enumerated() {
            let entry = writer.entry(35, k)
            entry.string(0, key)
            entry.int32(1, value)
        }
        writer.entries(36, byID.count)
        for (k, (key, value)) in byID.sorted(by: { $0.key < $1.key }).enumerated() {
            let entry = writer.entry(36, k)
            entry.int32(0, key)
            entry.message(1, value)
        }
        writer.entries(37, flags.count)
        for (k, (key, value)) in flags.sorted(by: { !$0.key && $1.key }).enumerated() {
            let entry = writer.entry(37, k)
            entry.bool(0, key)
            entry.double(1, value)
        }
        writer.string(38, far)
        writer.string(39, farthest)
        writer.unknownFields(unknownFields)
    }
}
