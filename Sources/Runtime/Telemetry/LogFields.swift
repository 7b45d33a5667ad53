/// Named values of a log line, in the order in which they were given.
public struct LogFields: Sendable, Hashable, ExpressibleByDictionaryLiteral {
    private(set) var entries: [Entry]

    struct Entry: Sendable, Hashable {
        let name: String
        var value: LogValue
    }

    /// When a name is given twice, the later value counts.
    public init(dictionaryLiteral elements: (String, LogValue)...) {
        entries = []
        for (name, value) in elements { self[name] = value }
    }

    public var isEmpty: Bool { entries.isEmpty }

    public subscript(name: String) -> LogValue? {
        get { entries.first { $0.name == name }?.value }
        set {
            let index = entries.firstIndex { $0.name == name }
            switch (index, newValue) {
            case (let index?, let value?): entries[index].value = value
            case (let index?, nil): entries.remove(at: index)
            case (nil, let value?): entries.append(Entry(name: name, value: value))
            case (nil, nil): break
            }
        }
    }

    /// These fields with `others` added; on equal names `others` win.
    public func merging(_ others: LogFields) -> LogFields {
        guard !isEmpty else { return others }
        var merged = self
        for entry in others.entries { merged[entry.name] = entry.value }
        return merged
    }
}
