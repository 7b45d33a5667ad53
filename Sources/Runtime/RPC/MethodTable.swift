import Glibc
import Telemetry

/// Methods by the bytes of their path: open addressing, no String, no lock.
package final class MethodTable: Sendable {
    private let slots: [RegisteredMethod?]
    private let mask: Int
    package let schemas: MethodSchemas
    private let fallback: RegisteredMethod.Handler?
    private let logger: Logger?

    init(
        _ methods: [RegisteredMethod], _ schemas: MethodSchemas,
        fallback: RegisteredMethod.Handler? = nil, logger: Logger? = nil
    ) {
        self.schemas = schemas
        self.fallback = fallback
        self.logger = logger
        var size = 16
        while size < methods.count * 4 { size *= 2 }
        mask = size - 1
        var slots = [RegisteredMethod?](repeating: nil, count: size)
        for method in methods {
            var index = method.path.withUnsafeBytes { MethodTable.hash($0) } & mask
            while slots[index] != nil { index = (index + 1) & mask }
            slots[index] = method
        }
        self.slots = slots
    }

    package func find(_ path: UnsafeRawBufferPointer) -> RegisteredMethod? {
        var index = MethodTable.hash(path) & mask
        while let method = slots[index] {
            if method.path.withUnsafeBytes({ MethodTable.isEqual($0, path) }) { return method }
            index = (index + 1) & mask
        }
        return fallback.flatMap { unknown(path, $0) }
    }

    /// The method that a client names, for the fallback; nil unless the path is `/service/method`.
    @inline(never)
    private func unknown(
        _ path: UnsafeRawBufferPointer, _ body: @escaping RegisteredMethod.Handler
    ) -> RegisteredMethod? {
        let text = String(decoding: path, as: UTF8.self)
        guard text.hasPrefix("/"), let split = text.lastIndex(of: "/"), split != text.startIndex
        else { return nil }
        let service = text[text.index(after: text.startIndex)..<split]
        let name = text[text.index(after: split)...]
        guard !service.isEmpty, !name.isEmpty else { return nil }
        let method = MethodDescriptor(
            service: String(service), name: String(name), kind: .bidirectional)
        return RegisteredMethod(method, logger: logger, body: body)
    }

    package func find(_ path: String) -> RegisteredMethod? {
        var path = path
        return path.withUTF8 { find(UnsafeRawBufferPointer($0)) }
    }

    private static func isEqual(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Bool {
        guard a.count == b.count, let left = a.baseAddress, let right = b.baseAddress else {
            return false
        }
        return memcmp(left, right, a.count) == 0
    }

    /// Eight bytes at a time; the table is fixed by us, so nobody can choose collisions.
    private static func hash(_ bytes: UnsafeRawBufferPointer) -> Int {
        var hash = UInt64(bytes.count) &* 0x9e37_79b9_7f4a_7c15
        var offset = 0
        while offset + 8 <= bytes.count {
            let word = bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            hash = (hash ^ word) &* 0xff51_afd7_ed55_8ccd
            hash ^= hash >> 32
            offset += 8
        }
        while offset < bytes.count {
            hash = (hash ^ UInt64(bytes[offset])) &* 0xff51_afd7_ed55_8ccd
            hash ^= hash >> 32
            offset += 1
        }
        return Int(truncatingIfNeeded: hash & 0x7fff_ffff_ffff_ffff)
    }
}
