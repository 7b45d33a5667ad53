/// Writes fixed-width decimal fields into the buffer of a `String` under construction.
struct DigitWriter {
    private let buffer: UnsafeMutableBufferPointer<UInt8>
    private(set) var count = 0

    init(_ buffer: UnsafeMutableBufferPointer<UInt8>) {
        self.buffer = buffer
    }

    mutating func byte(_ scalar: Unicode.Scalar) {
        buffer[count] = UInt8(ascii: scalar)
        count += 1
    }

    /// `value` must not be negative; digits above the width are cut off.
    mutating func number(_ value: Int, digits: Int) {
        var rest = value
        for index in stride(from: count + digits - 1, through: count, by: -1) {
            buffer[index] = 0x30 + UInt8(rest % 10)
            rest /= 10
        }
        count += digits
    }

    mutating func date(_ date: LocalDate) {
        number(max(date.year, 0), digits: 4)
        byte("-")
        number(date.month, digits: 2)
        byte("-")
        number(date.day, digits: 2)
    }
}
