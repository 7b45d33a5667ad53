/// Swift spellings of proto names.
enum SwiftIdentifier {
    /// Names that mean something else to Swift even in backticks, or would hide what generated
    /// code and its users call on every message.
    static let reservedMembers: Set<String> = [
        "self", "init", "Type", "Protocol", "unknownFields", "encoded", "write", "hash",
        "hashValue", "rawValue",
    ]
    static let reservedTypes: Set<String> = ["Type", "Protocol", "Self", "Any"]
    /// `.none` and `.some` of a oneof would be taken for the cases of the Optional around it.
    static let reservedCases: Set<String> = ["none", "some"]

    private static let keywords: Set<String> = [
        "Any", "Self", "as", "associatedtype", "break", "case", "catch", "class", "continue",
        "default", "defer", "deinit", "do", "else", "enum", "extension", "fallthrough", "false",
        "fileprivate", "for", "func", "guard", "if", "import", "in", "init", "inout", "internal",
        "is", "let", "nil", "operator", "precedencegroup", "private", "protocol", "public",
        "repeat", "rethrows", "return", "self", "static", "struct", "subscript", "super", "switch",
        "throw", "throws", "true", "try", "typealias", "var", "where", "while",
    ]

    /// The name as a declaration or an argument spells it.
    static func escaped(_ name: String) -> String {
        keywords.contains(name) ? "`\(name)`" : name
    }

    /// `start_unix` → `startUnix`, `GetByID` → `getByID`, `NOT_SERVING` → `notServing`.
    static func lowerCamel(_ name: some StringProtocol) -> String {
        let words = name.split(separator: "_")
        guard let first = words.first else { return "_" }
        let rest = words.dropFirst().map { capitalised(calm($0)) }
        let result = lowerFirst(calm(first)) + rest.joined()
        return result.first?.isNumber == true ? "_\(result)" : result
    }

    /// `booking` → `Booking`, `error_details` → `ErrorDetails`.
    static func upperCamel(_ name: some StringProtocol) -> String {
        let result = name.split(separator: "_").map { capitalised(String($0)) }.joined()
        return result.isEmpty || result.first?.isNumber == true ? "_\(result)" : result
    }

    /// The enum that holds the types of a package: `janji.booking.v1` → `BookingV1`.
    static func namespace(package: String) -> String {
        var parts = package.split(separator: ".")
        if parts.count >= 3, let last = parts.last, isVersion(last) { parts = parts.suffix(2) }
        return parts.isEmpty ? "NoPackage" : parts.map { upperCamel($0) }.joined()
    }

    private static func isVersion(_ part: Substring) -> Bool {
        part.first == "v" && part.dropFirst().first?.isNumber == true
    }

    /// A word in capitals in small letters.
    private static func calm(_ word: some StringProtocol) -> String {
        word.contains(where: \.isLowercase) ? String(word) : word.lowercased()
    }

    private static func capitalised(_ word: String) -> String {
        word.prefix(1).uppercased() + word.dropFirst()
    }

    /// `Check` → `check`, `URLFetch` → `urlFetch`.
    private static func lowerFirst(_ word: String) -> String {
        let capitals = word.prefix(while: \.isUppercase).count
        let count = capitals > 1 && capitals < word.count ? capitals - 1 : capitals
        return word.prefix(count).lowercased() + word.dropFirst(count)
    }
}
