import HTTPClient
import Testing

@Suite struct HTTPFormTests {
    @Test(
        "every byte but letters, digits and -._~ is escaped, in names and values",
        arguments: [
            ([], ""),
            ([("a", "")], "a="),
            ([("secret", "s3-._~cret"), ("response", "x")], "secret=s3-._~cret&response=x"),
            ([("a b", "1+1=2&c")], "a%20b=1%2B1%3D2%26c"),
            ([("n", "é\u{0}\n%")], "n=%C3%A9%00%0A%25"),
        ] as [([(name: String, value: String)], String)])
    func encoded(fields: [(name: String, value: String)], body: String) {
        #expect(String(decoding: HTTPForm.encoded(fields), as: UTF8.self) == body)
    }
}
