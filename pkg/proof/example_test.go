package proof_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// exampleSigner signs for a log whose key is no secret.
func exampleSigner() *proof.Signer {
	s, err := proof.NewSigner("PRIVATE+KEY+log.example/default/34750f98+3c7b6a91+" +
		base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1}, 33)))
	if err != nil {
		panic(err)
	}
	return s
}

// A log hands out a leaf, a path and a checkpoint; whoever has the log's key needs nothing else to
// check that the entry is in the log.
func Example() {
	signer := exampleSigner()
	leaves := []string{"first", "second", "third", "fourth", "fifth"}

	// The log keeps the tree, and signs its root.
	var tree merkle.Tree
	for _, leaf := range leaves {
		tree.Append(entry.LeafHash([]byte(leaf)))
	}
	root, err := tree.Root(5)
	if err != nil {
		fmt.Println(err)
		return
	}
	checkpoint, err := signer.Sign(5, root)
	if err != nil {
		fmt.Println(err)
		return
	}
	path, err := proof.Inclusion(2, 5, &tree)
	if err != nil {
		fmt.Println(err)
		return
	}

	// The auditor has the key, from somewhere else than the log.
	key := signer.VerifierKey()
	c, err := proof.OpenCheckpoint(checkpoint, key)
	fmt.Println(c.Size, err)
	fmt.Println(proof.CheckInclusion(entry.LeafHash([]byte("third")), 2, c.Size, path, c.Root))
	fmt.Println(proof.CheckInclusion(entry.LeafHash([]byte("forged")), 2, c.Size, path, c.Root))
	// Output:
	// 5 <nil>
	// <nil>
	// proof does not hold: index 2 is not in the tree of size 5 and this root
}

// The path's JSON tells on which side each sibling stands.
func ExamplePath() {
	var tree merkle.Tree
	for _, leaf := range []string{"a", "b", "c"} {
		tree.Append(entry.LeafHash([]byte(leaf)))
	}
	path, err := proof.Inclusion(2, 3, &tree)
	if err != nil {
		fmt.Println(err)
		return
	}
	text, err := json.Marshal(path)
	fmt.Println(string(text), err)
	// Output: [["b137985ff484fb600db93107c77b0365c80d78f5b429ded0fd97361d077999eb","left"]] <nil>
}

// An old checkpoint and a new one belong to one log if the old tree is a prefix of the new one.
func ExampleCheckConsistency() {
	var tree merkle.Tree
	for _, leaf := range []string{"a", "b", "c", "d"} {
		tree.Append(entry.LeafHash([]byte(leaf)))
	}
	old, _ := tree.Root(2)
	now, _ := tree.Root(4)
	list, err := proof.Consistency(2, 4, &tree)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(proof.CheckConsistency(2, 4, old, now, list))
	fmt.Println(proof.CheckConsistency(2, 4, entry.Hash{}, now, list))
	// Output:
	// <nil>
	// proof does not hold: size 2 with this root is not a prefix of size 4
}

func ExampleOpenCheckpoint() {
	signer := exampleSigner()
	signed, err := signer.Sign(0, merkle.EmptyRoot)
	if err != nil {
		fmt.Println(err)
		return
	}
	c, err := proof.OpenCheckpoint(signed, signer.VerifierKey())
	fmt.Println(c.Origin, c.Size, err)
	// Output: log.example/default/34750f98 0 <nil>
}
