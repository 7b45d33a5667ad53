import Testing

@testable import rpcurl

@Suite struct JSONSplitterTests {
    static let rows: [(input: String, texts: [String])] = [
        ("", []),
        (" \n\u{1E}", []),
        ("{}", ["{}"]),
        ("{}{}", ["{}", "{}"]),
        ("{\"a\":1}\n{\"b\":2}\n", ["{\"a\":1}", "{\"b\":2}"]),
        ("\u{1E}{\"a\":[{}]} [1]", ["{\"a\":[{}]}", "[1]"]),
        (#"{"a":"}\"{\\"}{}"#, [#"{"a":"}\"{\\"}"#, "{}"]),
        (#""x y" 5 true"#, [#""x y""#, "5", "true"]),
        ("{\"a\":", ["{\"a\":"]),
        ("} {}", ["}", "{}"]),
    ]

    @Test("cuts alike, however the bytes arrive", arguments: rows)
    func cuts(row: (input: String, texts: [String])) {
        let bytes = Array(row.input.utf8)
        for size in 1...max(1, bytes.count) {
            var splitter = JSONSplitter()
            var texts: [String] = []
            var rest = bytes[...]
            while !rest.isEmpty {
                splitter.feed(rest.prefix(size))
                rest = rest.dropFirst(size)
                while let text = splitter.next() {
                    texts.append(String(decoding: text, as: UTF8.self))
                }
            }
            while let text = splitter.rest() { texts.append(String(decoding: text, as: UTF8.self)) }
            #expect(texts == row.texts, "pieces of \(size)")
        }
    }
}
