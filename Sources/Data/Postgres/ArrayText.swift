/// The text form of one-dimensional arrays (manual, section 8.15.6): `{1,2}`, `{"a b","c\"d"}`.
enum ArrayText {
    static func write(_ elements: some Sequence<String>, quoted: Bool) -> String {
        var text = "{"
        var isFirst = true
        for element in elements {
            if !isFirst { text.append(",") }
            isFirst = false
            if quoted { appendQuoted(element, to: &text) } else { text.append(element) }
        }
        text.append("}")
        return text
    }

    private static func appendQuoted(_ element: String, to text: inout String) {
        text.append("\"")
        if element.utf8.contains(where: { $0 == 0x22 || $0 == 0x5C }) {
            for scalar in element.unicodeScalars {
                if scalar == "\"" || scalar == "\\" { text.append("\\") }
                text.unicodeScalars.append(scalar)
            }
        } else {
            text.append(element)
        }
        text.append("\"")
    }

    /// Nil for nested arrays, NULL elements, explicit bounds and elements that do not decode.
    static func read<Element: PostgresDecodable>(_ text: UnsafeRawBufferPointer) -> [Element]? {
        guard text.count >= 2, text[0] == 0x7B, text[text.count - 1] == 0x7D else { return nil }
        let end = text.count - 1
        var elements: [Element] = []
        var scratch: [UInt8] = []
        var position = 1
        while position < end {
            scratch.removeAll(keepingCapacity: true)
            let isQuoted = text[position] == 0x22
            let next =
                isQuoted
                ? readQuoted(text, from: position + 1, to: end, into: &scratch)
                : readBare(text, from: position, to: end, into: &scratch)
            guard let next, let element = scratch.withUnsafeBytes(Element.init(postgresText:))
            else { return nil }
            elements.append(element)
            guard next < end else { return elements }
            guard text[next] == 0x2C, next + 1 < end else { return nil }
            position = next + 1
        }
        return elements
    }

    private static func readQuoted(
        _ text: UnsafeRawBufferPointer, from start: Int, to end: Int, into scratch: inout [UInt8]
    ) -> Int? {
        var position = start
        while position < end {
            switch text[position] {
            case 0x22: return position + 1
            case 0x5C:
                position += 1
                guard position < end else { return nil }
                scratch.append(text[position])
            default: scratch.append(text[position])
            }
            position += 1
        }
        return nil
    }

    private static func readBare(
        _ text: UnsafeRawBufferPointer, from start: Int, to end: Int, into scratch: inout [UInt8]
    ) -> Int? {
        var position = start
        while position < end, text[position] != 0x2C {
            guard text[position] != 0x7B, text[position] != 0x7D else { return nil }
            scratch.append(text[position])
            position += 1
        }
        // The server quotes a string "NULL", so the bare word is the null value.
        return scratch.isEmpty || scratch.elementsEqual("NULL".utf8) ? nil : position
    }
}
