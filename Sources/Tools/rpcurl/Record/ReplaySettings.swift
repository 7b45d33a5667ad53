/// What the flags of `replay` say.
struct ReplaySettings: Sendable {
    var ignored: [PathPattern] = []
    var comparesMetadata = false
}
