package filesink

// Written is how many bytes the file that grows has.
func (s *File) Written() int64 { return s.at.Size }
