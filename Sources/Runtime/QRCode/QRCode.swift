import CQRencode
import Glibc

/// A QR code (ISO/IEC 18004) of a short text, by libqrencode.
public struct QRCode: Sendable, Hashable {
    public struct Failure: Error, Hashable {
        /// `ERANGE`: the text is longer than ``limit`` allows; `ENOMEM`.
        public let errno: Int32
    }

    /// The longest text, in bytes: what still scans well from a telephone's screen.
    public static let limit = 600

    /// Modules per side.
    public let side: Int
    private let modules: [Bool]

    /// - Throws: ``Failure``
    public init(_ text: String) throws(Failure) {
        var bytes = Array(text.utf8)
        guard (1...Self.limit).contains(bytes.count) else { throw Failure(errno: ERANGE) }
        // Middle redundancy: 15 % of a worn or reflecting code may be unreadable.
        guard
            let code = QRcode_encodeData(
                Int32(bytes.count), &bytes, 0, QR_ECLEVEL_M)
        else { throw Failure(errno: Glibc.errno) }
        defer { QRcode_free(code) }
        side = Int(code.pointee.width)
        // The lowest bit says black; the others say why.
        modules = UnsafeBufferPointer(start: code.pointee.data, count: side * side)
            .map { $0 & 1 == 1 }
    }

    /// Whether the module is dark.
    public subscript(row: Int, column: Int) -> Bool { modules[row * side + column] }

    /// The picture with its quiet zone of four modules, dark on white in every theme.
    public var svg: String {
        let size = side + 8
        var path = ""
        for row in 0..<side {
            var column = 0
            while column < side {
                guard self[row, column] else {
                    column += 1
                    continue
                }
                let start = column
                while column < side, self[row, column] { column += 1 }
                path += "M\(start + 4) \(row + 4)h\(column - start)v1h-\(column - start)z"
            }
        }
        return """
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(size) \(size)" \
            shape-rendering="crispEdges"><path fill="#fff" d="M0 0h\(size)v\(size)H0z"/>\
            <path d="\(path)"/></svg>
            """
    }
}
