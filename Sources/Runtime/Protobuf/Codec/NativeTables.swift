import CProtobufC
import Glibc
import Synchronization

/// Builds `ProtobufCMessageDescriptor`s and the guard's tables from schemas.
///
/// They are never freed: schemas live as long as the process.
enum NativeTables {
    private static let building = Mutex<Void>(())

    /// Builds the table of `schema` and of every message type it reaches.
    static func build(_ schema: MessageSchema) -> UnsafeMutablePointer<MessageTable> {
        building.withLock { _ in
            if let known = schema.publishedTable { return known }
            var builder = Builder()
            let table = builder.table(of: schema)
            while let next = builder.pending.popLast() { builder.fill(next) }
            // Published only when everything reachable is complete.
            for (built, table) in builder.fresh { built.publishedTable = table }
            return table
        }
    }

    private struct Builder {
        var fresh: [(MessageSchema, UnsafeMutablePointer<MessageTable>)] = []
        var tables: [ObjectIdentifier: UnsafeMutablePointer<MessageTable>] = [:]
        var pending: [MessageSchema] = []

        mutating func table(of schema: MessageSchema) -> UnsafeMutablePointer<MessageTable> {
            if let known = schema.publishedTable ?? tables[ObjectIdentifier(schema)] {
                return known
            }
            let table = NativeTables.allocate(MessageTable.self, 1)
            let descriptor = NativeTables.allocate(ProtobufCMessageDescriptor.self, 1)
            table.pointee.descriptor = UnsafeRawPointer(descriptor)
            tables[ObjectIdentifier(schema)] = table
            fresh.append((schema, table))
            pending.append(schema)
            return table
        }

        mutating func fill(_ schema: MessageSchema) {
            let table = table(of: schema)
            let fields = schema.fields
            table.pointee.size = StructLayout.header + StructLayout.slot * fields.count
            table.pointee.fieldCount = fields.count
            table.pointee.fields = NativeTables.allocate(FieldLayout.self, fields.count)
            for field in fields { table.pointee.fields[field.index] = layout(field, schema) }
            NativeTables.index(fields, in: table)
            NativeTables.describe(schema, table)
        }

        private mutating func layout(_ field: FieldSchema, _ schema: MessageSchema) -> FieldLayout {
            let quantifier = field.oneof?.fields.first?.index ?? field.index
            let presence: FieldLayout.Presence =
                if field.isRepeated {
                    .repeated
                } else if field.oneof != nil {
                    .oneof
                } else if field.kind == .message {
                    .pointer
                } else if field.hasPresence {
                    .flag
                } else {
                    .implicit
                }
            let coding = FieldCoding(field)
            let tag = NativeTables.tag(of: field, coding)
            return FieldLayout(
                slot: StructLayout.header + StructLayout.slot * field.index,
                quantifier: StructLayout.header + StructLayout.slot * quantifier,
                number: field.number, presence: presence,
                message: field.kind == .message ? field.messageType.map { table(of: $0) } : nil,
                group: NativeTables.group(of: field, in: schema), check: GuardCheck(field),
                coding: coding, stride: UInt8(coding.stride),
                wire: UInt32(coding.wireType.rawValue),
                hasFlag: NativeTables.hasFlag(field, in: schema), isPacked: field.isPacked,
                tag: tag.bytes, tagCount: tag.count, index: Int32(field.index))
        }
    }

    /// Implicit floats carry a has flag, because libprotobuf-c takes -0.0 for the default; so do
    /// map entries, whose keys and values are always sent.
    private static func hasFlag(_ field: FieldSchema, in schema: MessageSchema) -> Bool {
        field.hasPresence || field.kind == .float || field.kind == .double || schema.isMapEntry
    }

    private static func tag(
        of field: FieldSchema, _ coding: FieldCoding
    ) -> (bytes: UInt64, count: UInt8) {
        var writer = WireWriter()
        writer.tag(UInt32(field.number), field.isPacked ? .bytes : coding.wireType)
        let bytes = writer.bytes.enumerated().reduce(UInt64(0)) {
            $0 | UInt64($1.element) << UInt64(8 * $1.offset)
        }
        return (bytes.littleEndian, UInt8(writer.bytes.count))
    }

    /// Zeroed memory for the rest of the process' life.
    private static func allocate<T>(_ type: T.Type, _ count: Int) -> UnsafeMutablePointer<T> {
        guard let memory = calloc(max(count, 1), MemoryLayout<T>.stride) else {
            fatalError("no memory for a message descriptor")
        }
        return memory.bindMemory(to: type, capacity: max(count, 1))
    }

    /// Fields that libprotobuf-c mishandles when they occur twice: sub-messages and oneofs.
    private static func group(of field: FieldSchema, in schema: MessageSchema) -> UInt8 {
        guard !field.isRepeated, field.kind == .message || field.oneof != nil else { return 255 }
        var leaders: [Int] = []
        for other in schema.fields where !other.isRepeated {
            let leader = other.oneof?.fields.first?.index ?? other.index
            guard other.kind == .message || other.oneof != nil, !leaders.contains(leader) else {
                continue
            }
            leaders.append(leader)
        }
        let leader = field.oneof?.fields.first?.index ?? field.index
        return UInt8(min(leaders.firstIndex(of: leader) ?? 0, 254))
    }

    private static func index(_ fields: [FieldSchema], in table: UnsafeMutablePointer<MessageTable>)
    {
        let sorted = fields.sorted { $0.number < $1.number }
        table.pointee.sorted = allocate(UInt16.self, fields.count)
        for (k, field) in sorted.enumerated() { table.pointee.sorted[k] = UInt16(field.index) }
        let highest = sorted.last { $0.number < 256 }?.number ?? 0
        table.pointee.denseCount = UInt32(highest) + 1
        table.pointee.dense = allocate(UInt16.self, Int(highest) + 1)
        for field in sorted where field.number <= highest {
            table.pointee.dense[Int(field.number)] = UInt16(field.index + 1)
        }
    }

    private static func describe(
        _ schema: MessageSchema, _ table: UnsafeMutablePointer<MessageTable>
    ) {
        let offset = MemoryLayout<ProtobufCMessageDescriptor>.offset(of: \.reserved1)
        precondition(
            offset == StructLayout.tablePointer && MemoryLayout<ProtobufCMessage>.size == 24,
            "libprotobuf-c's structs have another layout than this code was written for")
        // Groups are stripped by the guard; libprotobuf-c never hears of them.
        let fields = schema.fields.filter { $0.kind != .group }.sorted { $0.number < $1.number }
        let descriptors = allocate(ProtobufCFieldDescriptor.self, fields.count)
        for (k, field) in fields.enumerated() {
            descriptors[k] = descriptor(field, schema, table)
        }
        let raw = UnsafeMutableRawPointer(mutating: table.pointee.descriptor)
        let descriptor = raw.assumingMemoryBound(to: ProtobufCMessageDescriptor.self)
        descriptor.pointee.magic = UInt32(PROTOBUF_C__MESSAGE_DESCRIPTOR_MAGIC)
        descriptor.pointee.name = UnsafePointer(strdup(schema.fullName))
        descriptor.pointee.short_name = UnsafePointer(strdup(schema.name))
        descriptor.pointee.sizeof_message = table.pointee.size
        descriptor.pointee.n_fields = UInt32(fields.count)
        descriptor.pointee.fields = UnsafePointer(descriptors)
        let ranges = ranges(fields)
        descriptor.pointee.n_field_ranges = UInt32(ranges.count - 1)
        descriptor.pointee.field_ranges = UnsafePointer(ranges.start)
        descriptor.pointee.reserved1 = UnsafeMutableRawPointer(table)
    }

    private static func descriptor(
        _ field: FieldSchema, _ schema: MessageSchema, _ table: UnsafeMutablePointer<MessageTable>
    ) -> ProtobufCFieldDescriptor {
        let layout = table.pointee.fields[field.index]
        var result = ProtobufCFieldDescriptor()
        result.name = UnsafePointer(strdup(field.name))
        result.id = UInt32(field.number)
        result.type = type(field.kind)
        result.offset = UInt32(StructLayout.header + StructLayout.slot * field.index + 8)
        result.quantifier_offset = UInt32(layout.quantifier)
        result.descriptor = layout.message.map { $0.pointee.descriptor }
        if field.isRepeated {
            result.label = PROTOBUF_C_LABEL_REPEATED
            if field.isPacked { result.flags = UInt32(PROTOBUF_C_FIELD_FLAG_PACKED.rawValue) }
        } else if field.oneof != nil {
            result.label = PROTOBUF_C_LABEL_OPTIONAL
            result.flags = UInt32(PROTOBUF_C_FIELD_FLAG_ONEOF.rawValue)
        } else if hasFlag(field, in: schema) {
            result.label = PROTOBUF_C_LABEL_OPTIONAL
        } else {
            result.label = PROTOBUF_C_LABEL_NONE
        }
        return result
    }

    /// Runs of consecutive numbers, closed by a sentinel.
    private static func ranges(
        _ fields: [FieldSchema]
    ) -> (start: UnsafeMutablePointer<ProtobufCIntRange>, count: Int) {
        let start = allocate(ProtobufCIntRange.self, fields.count + 1)
        var count = 0
        var previous: Int32?
        for (k, field) in fields.enumerated() {
            if let previous, field.number == previous + 1 {
            } else {
                start[count] = ProtobufCIntRange(start_value: field.number, orig_index: UInt32(k))
                count += 1
            }
            previous = field.number
        }
        start[count] = ProtobufCIntRange(start_value: 0, orig_index: UInt32(fields.count))
        return (start, count + 1)
    }

    private static func type(_ kind: FieldSchema.Kind) -> ProtobufCType {
        switch kind {
        case .double: PROTOBUF_C_TYPE_DOUBLE
        case .float: PROTOBUF_C_TYPE_FLOAT
        case .int64: PROTOBUF_C_TYPE_INT64
        case .uint64: PROTOBUF_C_TYPE_UINT64
        case .int32: PROTOBUF_C_TYPE_INT32
        case .fixed64: PROTOBUF_C_TYPE_FIXED64
        case .fixed32: PROTOBUF_C_TYPE_FIXED32
        case .bool: PROTOBUF_C_TYPE_BOOL
        // BYTES, not STRING: lengths and embedded NULs survive and no strlen runs.
        case .string, .bytes, .group: PROTOBUF_C_TYPE_BYTES
        case .message: PROTOBUF_C_TYPE_MESSAGE
        case .uint32: PROTOBUF_C_TYPE_UINT32
        case .enumeration: PROTOBUF_C_TYPE_ENUM
        case .sfixed32: PROTOBUF_C_TYPE_SFIXED32
        case .sfixed64: PROTOBUF_C_TYPE_SFIXED64
        case .sint32: PROTOBUF_C_TYPE_SINT32
        case .sint64: PROTOBUF_C_TYPE_SINT64
        }
    }
}

extension GuardCheck {
    init(_ field: FieldSchema) {
        switch field.kind.wireType {
        case .varint where field.isRepeated: self = field.kind == .bool ? .bools : .varints
        case .varint: self = .varint
        case .fixed32: self = field.isRepeated ? .fixed32s : .fixed32
        case .fixed64: self = field.isRepeated ? .fixed64s : .fixed64
        case .bytes:
            self = field.kind == .message ? .message : field.requiresUTF8 ? .text : .bytes
        case .startGroup, .endGroup: self = .ignored
        }
    }
}
