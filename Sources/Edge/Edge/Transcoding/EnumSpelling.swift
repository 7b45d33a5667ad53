import Protobuf

/// The lower-case words of enums with `json_lower_case`: "pending" for BOOKING_STATUS_PENDING.
struct EnumSpelling: Sendable {
    private struct Words: Sendable {
        var wordOfNumber: [Int32: String] = [:]
        var numberOfWord: [String: Int32] = [:]
    }

    private let words: [EnumSchema: Words]

    init(_ pool: DescriptorPool) {
        var words: [EnumSchema: Words] = [:]
        for item in pool.files.flatMap({ $0.enums + $0.allMessages.flatMap(\.enums) })
        where item.options.varint(extension: ContractOptions.jsonLowerCase) == 1 {
            let prefix = Self.commonPrefix(item.values.map(\.name))
            var found = Words()
            for value in item.values {
                let word = value.name.dropFirst(prefix).lowercased()
                if found.wordOfNumber[value.number] == nil {
                    found.wordOfNumber[value.number] = word
                }
                found.numberOfWord[word] = value.number
            }
            words[item] = found
        }
        self.words = words
    }

    func word(_ item: EnumSchema, _ number: Int32) -> String? {
        words[item]?.wordOfNumber[number]
    }

    func number(_ item: EnumSchema, _ word: String) -> Int32? {
        words[item]?.numberOfWord[word]
    }

    /// Length of what all names share, up to and with an underscore.
    private static func commonPrefix(_ names: [String]) -> Int {
        guard let first = names.first else { return 0 }
        var length = first.count
        for name in names.dropFirst() {
            length = min(length, zip(first, name).prefix { $0 == $1 }.count)
        }
        let shared = first.prefix(length)
        return shared.lastIndex(of: "_").map {
            shared.distance(from: shared.startIndex, to: $0) + 1
        }
            ?? 0
    }
}
